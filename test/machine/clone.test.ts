import { truncateSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { ProcessSpec } from '../../src/agent/index.ts'
import type { VmSnapshot } from '../../src/hypervisor/index.ts'
import { bootMachine, parkMachine } from '../../src/machine/index.ts'
import { FakeHypervisor } from '../../src/testing/fake-hypervisor.ts'
import type { FakeGuest } from '../../src/testing/index.ts'
import { builtinPrograms } from '../../src/testing/programs.ts'
import { cloneMachine } from '../support/clone-machine.ts'
import { Scratch } from '../support/scratch.ts'
import { spec } from '../support/vm-spec.ts'

const program = (name: string): ProcessSpec => ({ arguments: [name], environment: {}, cwd: '/', user: 'root', stdin: 'closed' })

/** A hypervisor, and the snapshot of a machine in which a file was written. */
async function snapshotIn(
  scratch: Scratch,
  onGuestStart?: (guest: FakeGuest) => void,
): Promise<{ hypervisor: FakeHypervisor; snapshot: VmSnapshot }> {
  const hypervisor = new FakeHypervisor(new Map(Object.entries(builtinPrograms)), onGuestStart)
  const files = { hostMemoryPath: scratch.join('memory'), hostStatePath: scratch.join('state') }
  const machine = await bootMachine(hypervisor, { ...spec, savesTo: files }, { template: true })
  await machine.connection.files.write('/made', Buffer.from('by the template'), { mode: 0o644, user: 'root' })
  await machine.save()
  expect(await machine.ended).toEqual({ kind: 'destroyed' })
  return { hypervisor, snapshot: { ...spec, ...files } }
}

test('clones have what their template had, and an identity of their own', async () => {
  using scratch = new Scratch()
  const { hypervisor, snapshot } = await snapshotIn(scratch)
  const clones = await Promise.all(['a', 'b', 'c'].map((id) => cloneMachine(hypervisor, snapshot, id)))
  const identities = hypervisor.guests.map(({ identity }) => identity)
  expect(identities.map((identity) => identity?.hostname).sort()).toEqual(['a', 'b', 'c'])
  for (const unique of ['machineId', 'entropy', 'generationId'] as const)
    expect(new Set(identities.map((identity) => String(identity?.[unique]))).size).toBe(3)
  for (const identity of identities) expect(identity?.generationId).toBeGreaterThan(0n)
  for (const guest of hypervisor.guests) expect(String(guest.files.get('/made'))).toBe('by the template')
  await Promise.all(clones.map((machine) => machine.destroy()))
  expect(hypervisor.guests).toEqual([])
})

test('a parked process becomes a clone when it is asked to, or ends as nothing', async () => {
  using scratch = new Scratch()
  const { hypervisor, snapshot } = await snapshotIn(scratch)
  const [used, unused] = await Promise.all([
    parkMachine(hypervisor, snapshot, 'used'),
    parkMachine(hypervisor, snapshot, 'unused'),
  ])
  expect(hypervisor.guests.map(({ identity }) => identity)).toEqual([undefined, undefined])
  const machine = await used.clone()
  expect(machine.id).toBe('used')
  await Promise.all([unused.destroy(), machine.destroy()])
  await Promise.all([unused.ended, used.ended])
  expect(hypervisor.guests).toEqual([])
})

test('a machine that was paused answers nothing, and wakes in the present', async () => {
  using scratch = new Scratch()
  const { hypervisor, snapshot } = await snapshotIn(scratch)
  const machine = await cloneMachine(hypervisor, snapshot, 'a')
  await machine.exercise(program('true'), { timeoutMs: 5_000 })
  expect(hypervisor.guests[0]?.processesStarted).toBe(1)
  machine.pause()
  await expect(machine.connection.ping({ timeoutMs: 30 })).rejects.toMatchObject({ code: 'TIMEOUT' })
  await machine.wake({ timeoutMs: 5_000 })
  await machine.destroy()
})

test('exercising goes half the way where the program is not there, and fails where the guest does', async () => {
  using scratch = new Scratch()
  const { hypervisor, snapshot } = await snapshotIn(scratch)
  const machine = await cloneMachine(hypervisor, snapshot, 'a')
  await machine.exercise(program('not-there'))
  const exercising = machine.exercise(program('sleep')).catch((error) => error)
  hypervisor.guests[0]?.crash()
  expect(await exercising).toMatchObject({ code: 'GUEST_UNREACHABLE' })
  expect(await machine.ended).toMatchObject({ kind: 'crashed' })
})

test.each<[string, (guest: FakeGuest) => void, string]>([
  ['ends', (guest) => guest.crash(), 'give it its identity'],
  ['speaks something else', (guest) => guest.sendRaw(Buffer.from('login: '.repeat(4))), 'become a clone'],
])('a clone whose guest %s is ended, and says at which step', async (_, happens, words) => {
  using scratch = new Scratch()
  const { hypervisor, snapshot } = await snapshotIn(scratch, (guest) => {
    if (guest.id === 'bad') setImmediate(() => happens(guest))
  })
  const error = await cloneMachine(hypervisor, snapshot, 'bad').catch((failure) => failure)
  expect(error).toMatchObject({ code: 'BOOT_FAILED', sandboxId: 'bad', retryable: true })
  expect(`${error.message} ${error.cause?.message}`).toMatch(new RegExp(`did not become a clone|${words}`))
  expect(hypervisor.guests).toEqual([])
})

test('a state that cannot be loaded fails the clone, with the reason', async () => {
  using scratch = new Scratch()
  const { hypervisor, snapshot } = await snapshotIn(scratch)
  truncateSync(snapshot.hostStatePath, 3)
  await expect(cloneMachine(hypervisor, snapshot, 'a')).rejects.toMatchObject({
    code: 'BOOT_FAILED',
    message: expect.stringContaining('cannot be loaded'),
  })
  expect(hypervisor.guests).toEqual([])
})

test('an abort at any moment of cloning leaves nothing', async () => {
  using scratch = new Scratch()
  const { hypervisor, snapshot } = await snapshotIn(scratch)
  for (let turns = 0; turns < 12; turns++) {
    const abort = new AbortController()
    const settled = cloneMachine(hypervisor, snapshot, `a${turns}`, { signal: abort.signal }).then(
      (machine) => machine.destroy().then(() => 'cloned'),
      (reason) => reason,
    )
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
    abort.abort('enough')
    expect(['enough', 'cloned']).toContain(await settled)
    expect(hypervisor.guests).toEqual([])
  }
})

test('a machine that cannot be saved has ended all the same', async () => {
  using scratch = new Scratch()
  const { hypervisor, snapshot } = await snapshotIn(scratch)
  const machine = await bootMachine(hypervisor, spec, { template: true })
  await expect(machine.save()).rejects.toMatchObject({ code: 'BOOT_FAILED' })
  // Nor is one made over what is there.
  await expect(bootMachine(hypervisor, { ...spec, savesTo: snapshot }, { template: true })).rejects.toThrow('EEXIST')
  expect(hypervisor.guests).toEqual([])
})
