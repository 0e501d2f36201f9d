/** Equal keys, equal snapshots: whatever a snapshot depends on changes its key, and nothing else does. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { WarmcellError } from '../../src/errors.ts'
import type { Hypervisor } from '../../src/hypervisor/index.ts'
import { type KeyInputs, templateKey } from '../../src/template/key.ts'
import { Workshop } from './workshop.ts'

const text = fc.string({ maxLength: 12 })
const count = fc.integer({ min: 1, max: 4_096 })
const sha256 = fc.stringMatching(/^[0-9a-f]{64}$/)

const inputs: fc.Arbitrary<KeyInputs> = fc.record({
  host: fc.record({ formatVersion: count, architecture: text, processor: text, hypervisor: text, guestImage: text }),
  isolation: fc.constantFrom('hardware', 'emulated'),
  machine: fc.array(text, { maxLength: 4 }),
  root: fc.oneof(fc.constant('base' as const), fc.record({ sha256 })),
  resources: fc.record({ vcpus: count, memoryMib: count, diskMib: count, pids: count }),
  env: fc.dictionary(text, text, { maxKeys: 4 }),
  user: text,
  cwd: text,
  setup: fc.array(text, { maxLength: 4 }),
  start: fc.oneof(fc.constant(null), text, fc.array(text, { maxLength: 4 })),
  ready: fc.oneof(
    fc.constant(null),
    fc.record({ port: count }),
    fc.record({ exec: fc.array(text, { maxLength: 3 }) }),
    fc.record({ file: text }),
  ),
  tenant: fc.oneof(fc.constant(null), text),
})

/** The paths of every field in it that is not an object itself. */
function leaves(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [path]
  return Object.entries(value).flatMap(([name, part]) => leaves(part, [...path, name]))
}

function changed<T>(value: T, [name, ...rest]: string[]): T {
  if (name === undefined)
    return (typeof value === 'number' ? value + 1 : Array.isArray(value) ? [...value, 'x'] : `${value}x`) as T
  return { ...value, [name]: changed((value as Record<string, unknown>)[name], rest) }
}

function reversed<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const entries = Object.entries(value).reverse()
  return Object.fromEntries(entries.map(([name, part]) => [name, reversed(part)])) as T
}

test('a change of any one field is another key', () => {
  fc.assert(
    fc.property(inputs, (one) => {
      const keys = leaves(one).map((path) => templateKey(changed(one, path)))
      expect(new Set([templateKey(one), ...keys]).size).toBe(keys.length + 1)
    }),
  )
})

test('different inputs have different keys', () => {
  fc.assert(
    fc.property(inputs, inputs, (one, other) => {
      fc.pre(JSON.stringify(one) !== JSON.stringify(other))
      if (JSON.stringify(reversed(reversed(one))) === JSON.stringify(other)) return
      expect(templateKey(one) === templateKey(other)).toBe(sameIgnoringOrder(one, other))
    }),
  )
})

function sameIgnoringOrder(one: unknown, other: unknown): boolean {
  try {
    expect(one).toEqual(other)
    return true
  } catch {
    return false
  }
}

test('the order of variables, and of every other object, does not change it', () => {
  fc.assert(
    fc.property(inputs, (one) => {
      expect(templateKey(reversed(one))).toBe(templateKey(one))
    }),
  )
  const withEnv = (env: Record<string, string>): string =>
    templateKey({ ...(fc.sample(inputs, { numRuns: 1, seed: 1 })[0] as KeyInputs), env })
  expect(withEnv({ A: '1', B: '2' })).toBe(withEnv({ B: '2', A: '1' }))
  expect(withEnv(JSON.parse('{"__proto__":"1"}'))).not.toBe(withEnv({}))
})

test('a disk image counts by what it holds, and not by where it lies', async () => {
  using workshop = new Workshop()
  const disk = Buffer.alloc(4_096)
  disk.set([0x53, 0xef], 1_080)
  const [one, two] = [workshop.scratch.file('one.img', disk), workshop.scratch.file('two.img', disk)]
  const first = await workshop.snapshot({ root: { hostPath: one } })
  const second = await workshop.snapshot({ root: { hostPath: two } })
  expect(second.digest).toBe(first.digest)
  expect(second.hostRootPath).toBe(two)
  expect(workshop.hypervisor.guestsBooted).toBe(1)
  disk[0] = 1
  workshop.scratch.file('one.img', disk)
  expect((await workshop.snapshot({ root: { hostPath: one } })).digest).not.toBe(first.digest)
  const missing = workshop.snapshot({ root: { hostPath: '/not/there' } })
  await expect(missing).rejects.toSatisfy((error) => WarmcellError.is(error) && error.code === 'IMAGE')
})

test('another guest image, hypervisor or isolation is another snapshot', async () => {
  using workshop = new Workshop()
  const { image } = await import('./workshop.ts')
  const digests = [
    await workshop.snapshot(),
    await workshop.snapshot({}, {}, workshop.templates({ image: { ...image, key: 'image-2' } })),
    await workshop.snapshot({}, {}, workshop.templates({ isolation: 'hardware' })),
    await workshop.snapshot(
      {},
      {},
      workshop.templates({ hypervisor: changedHypervisor(workshop, { name: 'fake hypervisor 2' }) }),
    ),
    // The same version, told to make another machine: a clone of the older snapshot would find itself in a stranger.
    await workshop.snapshot(
      {},
      {},
      workshop.templates({ hypervisor: changedHypervisor(workshop, { describe: () => ['another'] }) }),
    ),
  ].map(({ digest }) => digest)
  expect(new Set(digests).size).toBe(5)
})

function changedHypervisor({ hypervisor }: Workshop, change: Partial<Hypervisor>): Workshop['hypervisor'] {
  return {
    name: hypervisor.name,
    describe: (...args: Parameters<typeof hypervisor.describe>) => hypervisor.describe(...args),
    start: (...args: Parameters<typeof hypervisor.start>) => hypervisor.start(...args),
    park: (...args: Parameters<typeof hypervisor.park>) => hypervisor.park(...args),
    reopen: (...args: Parameters<typeof hypervisor.reopen>) => hypervisor.reopen(...args),
    ...change,
  } as unknown as Workshop['hypervisor']
}
