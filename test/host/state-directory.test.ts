import { readdirSync, statSync } from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'
import { availableMemoryMib, defaultStateDirectory, prepareStateDirectory } from '../../src/host/index.ts'
import { Scratch } from '../support/scratch.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

test('the state directory is made, is nobody else’s, and is left as it was found', async () => {
  using scratch = new Scratch()
  const hostPath = scratch.join('a/b')
  await prepareStateDirectory(hostPath)
  await prepareStateDirectory(hostPath)
  expect(statSync(hostPath).mode & 0o777).toBe(0o700)
  expect(readdirSync(hostPath)).toEqual([])
})

test('a file in its place is refused, and says what to do', async () => {
  using scratch = new Scratch()
  const hostPath = scratch.file('state', '')
  for (const path of [hostPath, `${hostPath}/below`]) {
    await expect(prepareStateDirectory(path)).rejects.toMatchObject({
      code: 'HOST_UNSUPPORTED',
      message: expect.stringContaining(`The state directory ${path} cannot be used`),
      hint: expect.stringContaining('stateDir'),
    })
  }
})

test('a place where nobody can write is refused', async () => {
  await expect(prepareStateDirectory('/sys/warmcell')).rejects.toMatchObject({
    code: 'HOST_UNSUPPORTED',
    hint: expect.stringContaining('Make it writable'),
  })
})

test('it lies where XDG says, or below the home', () => {
  vi.stubEnv('XDG_STATE_HOME', '/var/state')
  expect(defaultStateDirectory()).toBe('/var/state/warmcell')
  vi.stubEnv('XDG_STATE_HOME', undefined)
  vi.stubEnv('HOME', '/home/alice')
  expect(defaultStateDirectory()).toBe('/home/alice/.local/state/warmcell')
})

test('the host has some memory to give', () => {
  expect(availableMemoryMib()).toBeGreaterThan(0)
})
