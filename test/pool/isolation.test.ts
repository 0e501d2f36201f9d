import { afterEach, expect, test, vi } from 'vitest'
import { wantedIsolation } from '../../src/pool/index.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

test('isolation is hardware unless something else is asked for, and never guessed', () => {
  vi.stubEnv('WARMCELL_ISOLATION', undefined)
  expect(wantedIsolation()).toBe('hardware')
  vi.stubEnv('WARMCELL_ISOLATION', 'emulated')
  expect(wantedIsolation()).toBe('emulated')
  expect(wantedIsolation({ isolation: 'hardware' })).toBe('hardware')
  vi.stubEnv('WARMCELL_ISOLATION', 'Emulated')
  expect(() => wantedIsolation()).toThrow("WARMCELL_ISOLATION is 'Emulated'. Set it to 'hardware' or 'emulated'.")
})
