/** A program that works on bytes of people whom nobody trusts has its pipes and its output, and nothing else of the host. */

import { readFileSync, statSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { HeldProgram, type ProgramUse } from '../../../src/host/index.ts'
import { Scratch } from '../../support/scratch.ts'
import { Canary } from './canary.ts'

/** What it answers to the input, and how it ends. */
async function run(name: string, scratch: Scratch, args: string[], input = '', output?: ProgramUse['output']) {
  const program = await HeldProgram.find(name, scratch.join('programs'))
  const launched = await (program as HeldProgram).start({ args, memoryMib: 64, output })
  launched.standard.input.end(input)
  const said = await text(launched.standard.output)
  const { exitCode } = await launched.ended
  return { said, exitCode, log: launched.logTail() }
}

test('it finds no file of the host, and may write to its one output alone', async (context) => {
  using scratch = new Scratch()
  const { confinement } = await Canary.hatch(scratch)
  const without = confinement.missing.find(({ part }) => part === 'file-system')?.detail
  if (without !== undefined) context.skip(without)
  const [secret, hostPath] = [scratch.file('secret', 'of the host'), scratch.join('output')]
  expect(await run('cat', scratch, ['-', secret], 'of its pipe')).toMatchObject({ said: 'of its pipe', exitCode: 1 })
  const { exitCode, log } = await run('tee', scratch, [hostPath, secret], 'written', { hostPath, mibMax: 1 })
  expect(exitCode).toBe(1)
  expect(log).toContain(secret)
  expect([secret, hostPath].map((path) => readFileSync(path, 'utf8'))).toEqual(['of the host', 'written'])
  expect(statSync(hostPath).uid).toBe(process.getuid?.())
  if (process.getuid?.() === 0) expect(Number((await run('id', scratch, ['-u'])).said)).toBeGreaterThanOrEqual(0x7000_0000)
})

test('it writes no more than it may', async () => {
  using scratch = new Scratch()
  const output = { hostPath: scratch.join('output'), mibMax: 1 }
  await run('tee', scratch, [output.hostPath], 'x'.repeat(3_000_000), output)
  expect(statSync(output.hostPath).size).toBe(1_048_576)
})

test('it ends with its input, however much is on its way', async () => {
  using scratch = new Scratch()
  const input = 'x'.repeat(10_000_000)
  expect(await run('cat', scratch, [], input)).toEqual({ said: input, exitCode: 0, log: '' })
})

test('what it has said before anybody listens is not lost', async () => {
  using scratch = new Scratch()
  const program = (await HeldProgram.find('echo', scratch.join('programs'))) as HeldProgram
  const launched = await program.start({ args: ['quick'], memoryMib: 64 })
  await delay(300)
  expect(await text(launched.standard.output)).toBe('quick\n')
  expect((await launched.ended).exitCode).toBe(0)
})

test('one that is not there is not there', async () => {
  using scratch = new Scratch()
  expect(await HeldProgram.find('warmcell-has-no-such-program', scratch.join('programs'))).toBeUndefined()
})
