/** Where templates lie: in memory where there is room, on the disk where not, and nowhere that is not this user's alone. */

import { execFileSync } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { preparePlaces } from '../../src/template/store/place.ts'
import { choosePlace } from '../../src/template/store/room.ts'
import type { Scratch } from '../support/scratch.ts'
import { modeOf, Workshop } from './workshop.ts'

const isRoot = process.getuid?.() === 0

afterEach(() => {
  vi.unstubAllEnvs()
})

function mountTmpfs(scratch: Scratch, name: string, size: string): AsyncDisposable {
  mkdirSync(scratch.join(name))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0700`, 'warmcell-test', scratch.join(name)])
  return { [Symbol.asyncDispose]: async () => void execFileSync('umount', [scratch.join(name)]) }
}

test('the place in memory belongs to one state directory, and is this user’s alone', async () => {
  using workshop = new Workshop()
  const state = workshop.scratch.join('state')
  const other = await preparePlaces(workshop.scratch.join('other'))
  const { places, refusal } = await preparePlaces(state)
  expect(refusal).toBeUndefined()
  expect(places.map(({ hostPath }) => modeOf(hostPath))).toEqual([0o700, 0o700])
  expect(places[1]).toEqual({ kind: 'disk', hostPath: join(state, 'templates') })
  expect(places[0]?.hostPath).not.toBe(other.places[0]?.hostPath)
  // By its real path: a link to it is the same.
  symlinkSync(state, workshop.scratch.join('link'))
  expect((await preparePlaces(workshop.scratch.join('link'))).places[0]).toEqual(places[0])
})

test('without a directory of its own it is /dev/shm, where that is in memory', async () => {
  using workshop = new Workshop()
  vi.stubEnv('WARMCELL_TEMPLATE_DIR', undefined)
  const { places, refusal } = await preparePlaces(workshop.scratch.join('state'))
  if (refusal === undefined) {
    expect(places[0]).toMatchObject({
      kind: 'memory',
      hostPath: expect.stringMatching(/^\/dev\/shm\/warmcell-\d+-[0-9a-f]{12}$/),
    })
    rmSync(places[0]?.hostPath as string, { recursive: true })
  } else expect(places.length).toBe(1)
})

test('a place that somebody else made first, or made a link, is not used, and the disk is', async () => {
  using workshop = new Workshop()
  const state = workshop.scratch.join('state')
  const hostPath = (await preparePlaces(state)).places[0]?.hostPath as string
  rmSync(hostPath, { recursive: true })
  mkdirSync(workshop.scratch.join('theirs'))
  symlinkSync(workshop.scratch.join('theirs'), hostPath)
  expect(await preparePlaces(state)).toMatchObject({ places: [{ kind: 'disk' }], refusal: `${hostPath} is a symbolic link` })
  const snapshot = await workshop.snapshot()
  expect(snapshot.hostMemoryPath.startsWith(join(state, 'templates'))).toBe(true)
  expect(readdirSync(workshop.scratch.join('theirs'))).toEqual([])
  if (!isRoot) return
  rmSync(hostPath)
  mkdirSync(hostPath, { mode: 0o700 })
  chownSync(hostPath, 12_345, 12_345)
  expect(await preparePlaces(state)).toMatchObject({ refusal: expect.stringContaining('belongs to the user 12345') })
})

test('a state directory whose templates are not this user’s alone is refused', async () => {
  using workshop = new Workshop()
  mkdirSync(workshop.scratch.join('state/templates'), { recursive: true, mode: 0o755 })
  await expect(workshop.snapshot()).rejects.toMatchObject({
    code: 'HOST_UNSUPPORTED',
    message: expect.stringContaining('others may use'),
    hint: expect.stringContaining('stateDir'),
  })
})

test.runIf(isRoot)('a file system in memory that is too small is passed over for the disk', async () => {
  using workshop = new Workshop()
  await using _ = mountTmpfs(workshop.scratch, 'memory', '120m')
  const small = await workshop.snapshot({ resources: { memoryMib: 96 } })
  expect(small.hostMemoryPath.startsWith(workshop.scratch.join('memory'))).toBe(true)
  const large = await workshop.snapshot({ resources: { memoryMib: 112 } })
  expect(large.hostMemoryPath.startsWith(workshop.scratch.join('state'))).toBe(true)
  // Both are found again, whatever has room by then.
  await workshop.snapshot({ resources: { memoryMib: 112 } })
  expect(workshop.hypervisor.guestsBooted).toBe(2)
  const places = (await workshop.templates().list()).map(({ place }) => place)
  expect(places.sort()).toEqual(['disk', 'memory'])
})

test.runIf(isRoot)('where neither has room it says what each has and what to do, and leaves nothing', async () => {
  using workshop = new Workshop()
  await using _memory = mountTmpfs(workshop.scratch, 'memory', '64m')
  await using _state = mountTmpfs(workshop.scratch, 'state', '32m')
  const error = await workshop.snapshot().catch((cause) => cause)
  expect(error).toMatchObject({ code: 'HOST_UNSUPPORTED', retryable: false, hint: expect.stringContaining('/dev/shm') })
  expect(error.message).toMatch(
    /There is no room for template 'mine', which needs 272 MiB: .*memory\/\S+ \(memory\) has 6\d MiB; \S+state\/templates \(disk\) has 3\d MiB\. Enlarge/,
  )
  expect(workshop.hypervisor.guestsStarted).toBe(0)
  expect(workshop.left()).toEqual([])
})

test.runIf(isRoot)('a disk that is full before the template is stored is no fault of the guest', async () => {
  using workshop = new Workshop({
    fill: () => {
      try {
        writeFileSync(workshop.scratch.join('memory/all-of-it'), Buffer.alloc(130 * 1_048_576))
      } catch {
        // That is the point.
      }
      return 0
    },
  })
  await using _ = mountTmpfs(workshop.scratch, 'memory', '120m')
  const error = await workshop.snapshot({ setup: ['fill'], resources: { memoryMib: 96 } }).catch((cause) => cause)
  expect(error).toMatchObject({ code: 'HOST_UNSUPPORTED', message: expect.stringContaining('ENOSPC') })
  expect(workshop.hypervisor.guests).toEqual([])
})

test('builds under way count with what they may still take', async () => {
  using workshop = new Workshop()
  const places = await preparePlaces(workshop.scratch.join('state'))
  const taken = await choosePlace(places, 'one', 96, () => 0)
  expect(taken).toBe(places.places[0])
  const second = await choosePlace(places, 'two', 96, (place) => (place === taken ? 2 ** 40 : 0))
  expect(second).toBe(places.places[1])
  await expect(choosePlace(places, 'three', 96, () => 2 ** 40)).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED' })
  expect(existsSync(taken.hostPath)).toBe(true)
})
