/** What a hypervisor that a guest has taken over can reach on the host: nothing. Tried by a program in its place. */

import { execFileSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { confinementParts } from '../../../src/host/index.ts'
import { Scratch } from '../../support/scratch.ts'
import { Canary } from './canary.ts'

let scratch: Scratch
let canary: Canary
beforeAll(async () => {
  scratch = new Scratch()
  canary = await Canary.hatch(scratch)
})
afterAll(() => scratch[Symbol.dispose]())

/** Parts that this machine cannot show, each with its reason: the test says so and passes over them. */
const reasonAgainst = (...parts: string[]): string | undefined =>
  canary.confinement.missing.find(({ part }) => parts.includes(part))?.detail

test('a program in its place finds nothing to take hold of', async (context) => {
  const without = reasonAgainst('file-system', 'namespaces')
  if (without !== undefined) context.skip(without)
  const readable = scratch.file('snapshot', 'memory of a template')
  const made = execFileSync('ipcmk', ['--shmem', '4096'], { encoding: 'utf8' })
  const id = /\d+/.exec(made)?.[0] as string
  try {
    const key = readFileSync('/proc/sysvipc/shm', 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .find((fields) => fields[1] === id)?.[0] as string
    const { said, exitCode } = await canary.run([String(process.pid), readable, key], {
      reads: [readable],
      pipes: 2,
      opens: [readable],
    })
    expect(exitCode).toBe(0)
    // As somebody else than root it keeps its user, of whom nothing is said, and finds other reasons why it may not.
    const golden = process.getuid?.() === 0 ? 'canary.root.golden.txt' : 'canary.user.golden.txt'
    const held: readonly string[] = ['inherits', ...canary.confinement.held]
    const rowsOf = (text: string): string =>
      text.replaceAll(/^(\S+) \|.*\n/gm, (row, part: string) => (held.includes(part) ? row : ''))
    const shown = rowsOf(said.replaceAll(`${scratch.hostPath}/`, '/scratch/'))
    if (canary.confinement.missing.every(({ part }) => part === 'control-group')) await expect(shown).toMatchFileSnapshot(golden)
    else expect(shown).toBe(rowsOf(readFileSync(new URL(golden, import.meta.url), 'utf8')))
    expect(readFileSync(readable, 'utf8')).toBe('memory of a template')
  } finally {
    execFileSync('ipcrm', ['--shmem-id', id])
  }
})

test('the files that it is to write are all that it can write, and its holder’s again when it has ended', async (context) => {
  const without = reasonAgainst('file-system')
  if (without !== undefined) context.skip(without)
  const written = scratch.join('state')
  const { said } = await canary.run([String(process.pid), written, '0x77617263'], { writes: [written] })
  expect(said).toContain('file-system | can be written | 1\n')
  expect(said).toContain('file-system | open what it reads for writing | DONE\n')
  expect(said).toContain('file-system | make a file | EROFS\n')
  expect(statSync(written).uid).toBe(process.getuid?.())
})

test('so are files that it goes on in, with what was in them', async (context) => {
  const without = reasonAgainst('file-system')
  if (without !== undefined) context.skip(without)
  const [memory, state] = [scratch.file('memory', 'of a stage', 0o600), scratch.file('its-state', 'saved', 0o600)]
  const { said } = await canary.run([String(process.pid), memory, '0x77617263'], { updates: [memory, state] })
  expect(said).toContain('file-system | can be written | 2\n')
  expect(said).toContain('file-system | make a file | EROFS\n')
  expect([memory, state].map((file) => statSync(file).uid)).toEqual([process.getuid?.(), process.getuid?.()])
  expect(readFileSync(state, 'utf8')).toBe('saved')
})

test('more memory than it may have ends it, and nobody else', async (context) => {
  const without = reasonAgainst('control-group')
  if (without !== undefined) context.skip(without)
  expect((await canary.run(['hog', '64'])).exitCode).toBe(0)
  expect(await canary.run(['hog', '256'])).toMatchObject({ exitCode: null, signal: 'SIGKILL' })
})

test('more processes and threads than it may have are not to be had', async (context) => {
  const without = reasonAgainst('control-group')
  if (without !== undefined) context.skip(without)
  const { said } = await canary.run(['threads', '100'], { pipes: 1 })
  expect(Number(said)).toBe(31)
})

test('it ends with what holds it', async (context) => {
  const without = reasonAgainst('namespaces', 'parent')
  if (without !== undefined) context.skip(without)
  const launched = await canary.launch(['sleep'])
  await expect.poll(() => launched.logTail()).toBe('up')
  const bwrap = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${launched.pid}/status`, 'utf8'))?.[1])
  expect(bwrap).not.toBe(process.pid)
  process.kill(bwrap, 'SIGKILL')
  await launched.ended
  await expect.poll(() => isThere(launched.pid)).toBe(false)
})

test('every part is one that is known, and none is both held and missing', () => {
  const { held, missing } = canary.confinement
  expect(confinementParts).toEqual(expect.arrayContaining([...held]))
  expect(missing.filter(({ part }) => held.includes(part))).toEqual([])
})

function isThere(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
