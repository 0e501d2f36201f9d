/** A machine that was saved goes on in its own files, at once or later, still without what must differ between clones. */

import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { VmSnapshot } from '../../src/hypervisor/index.ts'
import { bootMachine, reopenMachine } from '../../src/machine/index.ts'
import { FakeHypervisor } from '../../src/testing/fake-hypervisor.ts'
import { builtinPrograms } from '../../src/testing/programs.ts'
import { cloneMachine } from '../support/clone-machine.ts'
import { Scratch } from '../support/scratch.ts'
import { spec } from '../support/vm-spec.ts'

async function savedIn(scratch: Scratch): Promise<{ hypervisor: FakeHypervisor; snapshot: VmSnapshot }> {
  const hypervisor = new FakeHypervisor(new Map(Object.entries(builtinPrograms)))
  const files = { hostMemoryPath: scratch.join('memory'), hostStatePath: scratch.join('state') }
  const machine = await bootMachine(hypervisor, { ...spec, savesTo: files }, { template: true })
  await machine.connection.files.write('/one', Buffer.from('1'), { mode: 0o644, user: 'root' })
  await machine.save()
  return { hypervisor, snapshot: { ...spec, ...files } }
}

test('it has what it had, and can be saved again, with what has come since', async () => {
  using scratch = new Scratch()
  const { hypervisor, snapshot } = await savedIn(scratch)
  const before = readFileSync(snapshot.hostMemoryPath)
  const machine = await reopenMachine(hypervisor, snapshot, 'again')
  // As a template: a clone would have a generation.
  expect(hypervisor.guests[0]?.identity).toMatchObject({ hostname: 'again', generationId: 0n })
  await machine.connection.files.write('/two', Buffer.from('2'), { mode: 0o644, user: 'root' })
  await machine.save()
  expect(readFileSync(snapshot.hostMemoryPath)).not.toEqual(before)
  const clone = await cloneMachine(hypervisor, snapshot, 'clone')
  expect([...(hypervisor.guests[0]?.files.keys() ?? [])]).toEqual(['/one', '/two'])
  expect(hypervisor.guestsBooted).toBe(1)
  await clone.destroy()
})

test('one that cannot go on says where it stopped, and no process is left', async () => {
  using scratch = new Scratch()
  const { hypervisor, snapshot } = await savedIn(scratch)
  writeFileSync(snapshot.hostStatePath, '{')
  await expect(reopenMachine(hypervisor, snapshot, 'again')).rejects.toMatchObject({
    code: 'BOOT_FAILED',
    message: expect.stringMatching(/^again did not go on where it was saved: .*cannot be loaded/),
  })
  const abort = AbortSignal.abort('enough')
  await expect(reopenMachine(hypervisor, snapshot, 'again', { signal: abort })).rejects.toBe('enough')
  expect(hypervisor.guests).toEqual([])
})

test('one that is only passed through is copied while it stands still, and goes on as somebody who may be cloned', async () => {
  using scratch = new Scratch()
  const hypervisor = new FakeHypervisor(new Map(Object.entries(builtinPrograms)))
  const files = { hostMemoryPath: scratch.join('memory'), hostStatePath: scratch.join('state') }
  const machine = await bootMachine(hypervisor, { ...spec, savesTo: files }, { template: true })
  for (let stage = 0; stage < 15; stage++) {
    await machine.connection.files.write(`/${stage}`, Buffer.from('x'), { mode: 0o644, user: 'root' })
    const before = machine.connection
    await machine.passThrough(async () => copyFileSync(files.hostStatePath, scratch.join(`state-${stage}`)))
    expect(await before.ended).toBeUndefined()
    expect(hypervisor.guests[0]?.identity).toMatchObject({ hostname: spec.id, generationId: 0n })
  }
  await machine.save()
  expect(hypervisor.guestsStarted).toBe(1)
  const early = { ...spec, hostMemoryPath: files.hostMemoryPath, hostStatePath: scratch.join('state-2') }
  const clone = await cloneMachine(hypervisor, early, 'early')
  expect([...(hypervisor.guests[0]?.files.keys() ?? [])]).toEqual(['/0', '/1', '/2'])
  await clone.destroy()
})

test.each(['copying', 'Quiesce', 'Hello'])('a machine whose %s fails is its holder’s to end', async (at) => {
  using scratch = new Scratch()
  let armed = false
  const hypervisor = new FakeHypervisor(new Map(Object.entries(builtinPrograms)), undefined, (guest, step) => {
    if (armed && step === at) guest.crash()
  })
  const files = { hostMemoryPath: scratch.join('memory'), hostStatePath: scratch.join('state') }
  const machine = await bootMachine(hypervisor, { ...spec, savesTo: files }, { template: true })
  armed = true
  const passing = machine.passThrough(async () => {
    if (at === 'copying') throw new Error('disk full')
  })
  await expect(passing).rejects.toThrow(at === 'copying' ? 'disk full' : /guest/)
  await machine.destroy()
  expect(await machine.ended).toMatchObject({ kind: at === 'copying' ? 'destroyed' : 'crashed' })
  expect(hypervisor.guests).toEqual([])
})
