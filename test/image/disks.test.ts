import { existsSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Disks } from '../../src/image/disks.ts'
import { Scratch } from '../support/scratch.ts'

const key = 'a'.repeat(64)
const never = new AbortController().signal
const made = async (hostPath: string): Promise<void> => writeFileSync(hostPath, 'disk')

let scratch: Scratch
let disks: Disks
beforeEach(() => {
  scratch = new Scratch()
  disks = new Disks(scratch.join('cache'))
})
afterEach(() => scratch[Symbol.dispose]())

/** As a process that has ended leaves its use of a disk. */
function usedByTheDead(): void {
  const directory = scratch.join('cache/disks')
  for (const name of readdirSync(directory)) if (name.includes('.use.')) rmSync(`${directory}/${name}`)
  writeFileSync(`${directory}/${key}.use.4194303-1-000000000000`, '')
}

test('is made once, whoever asks and however often', async () => {
  let times = 0
  const make = async (hostPath: string): Promise<void> => {
    times++
    await made(hostPath)
  }
  const paths = await Promise.all([1, 2, 3].map(() => disks.use(key, never, make)))
  await new Disks(scratch.join('cache')).use(key, never, make)
  expect(new Set(paths).size).toBe(1)
  expect(times).toBe(1)
})

test('one that could not be made is made by the next', async () => {
  const refused = disks.use(key, never, async () => {
    throw new Error('no room')
  })
  await expect(refused).rejects.toThrow('no room')
  expect(existsSync(await disks.use(key, never, made))).toBe(true)
})

describe('clearing away', () => {
  const later = (): number => Date.now() + 60_000

  test('leaves what a living process uses', async () => {
    const hostPath = await disks.use(key, never, made)
    expect(await disks.prune(later())).toEqual([])
    expect(existsSync(hostPath)).toBe(true)
  })

  test('removes what only the dead have used, and what they left to say so', async () => {
    const hostPath = await disks.use(key, never, made)
    usedByTheDead()
    expect((await disks.prune(later())).map((one) => one.key)).toEqual([key])
    expect(existsSync(hostPath)).toBe(false)
    expect(readdirSync(scratch.join('cache/disks'), { recursive: true })).toEqual(['locks'])
  })

  test('leaves what was asked for since', async () => {
    const hostPath = await disks.use(key, never, made)
    usedByTheDead()
    const hourAgo = Date.now() - 3_600_000
    expect(await disks.prune(hourAgo)).toEqual([])
    utimesSync(hostPath, new Date(0), new Date(0))
    expect(await disks.prune(hourAgo)).toHaveLength(1)
  })

  test('one that is asked for while it goes is made again', async () => {
    await disks.use(key, never, made)
    usedByTheDead()
    const [, hostPath] = await Promise.all([disks.prune(later()), disks.use(key, never, made)])
    expect(existsSync(hostPath)).toBe(true)
  })
})
