import { expect, test } from 'vitest'
import type { VmSpec } from '../../src/hypervisor/index.ts'
import { bootMachine } from '../../src/machine/index.ts'
import { FakeHypervisor } from '../../src/testing/fake-hypervisor.ts'
import type { FakeGuest } from '../../src/testing/index.ts'
import { spec } from '../support/vm-spec.ts'

const hypervisorWith = (onGuestStart: (guest: FakeGuest) => void): FakeHypervisor => new FakeHypervisor(new Map(), onGuestStart)

/** Boots, expects it to fail, and to leave nothing. */
async function failure(
  hypervisor: FakeHypervisor,
  options: Parameters<typeof bootMachine>[2] = {},
  changed: Partial<VmSpec> = {},
): Promise<Error> {
  const error = await bootMachine(hypervisor, { ...spec, ...changed }, options).then(
    () => new Error('it booted'),
    (cause: Error) => cause,
  )
  expect(hypervisor.guests).toEqual([])
  return error
}

test('a machine has greeted its guest, and ends once however often it is destroyed', async () => {
  const hypervisor = hypervisorWith(() => {})
  const machine = await bootMachine(hypervisor, spec)
  expect(hypervisor.guests[0]?.identity).toMatchObject({
    hostname: 'wc-test',
    machineId: expect.stringMatching(/^[0-9a-f]{32}$/),
  })
  await Promise.all([machine.destroy(), machine.destroy()])
  expect(await machine.ended).toEqual({ kind: 'destroyed' })
  expect(hypervisor.guests).toEqual([])
})

test('a machine that ends by itself says how, with its panic and its console', async () => {
  const hypervisor = hypervisorWith(() => {})
  const [panics, stops] = await Promise.all([bootMachine(hypervisor, spec), bootMachine(hypervisor, spec)])
  hypervisor.guests[0]?.crash('some trace\nKernel panic - not syncing: oops\n')
  hypervisor.guests[1]?.end({ exitCode: 3, signal: null })
  expect(await panics.ended).toMatchObject({
    kind: 'crashed',
    detail: 'Kernel panic - not syncing: oops',
    consoleTail: expect.stringContaining('some trace'),
  })
  expect(await stops.ended).toMatchObject({ kind: 'crashed' })
})

test('a guest that ends while it boots fails at once, and says how far it came', async () => {
  const error = await failure(
    hypervisorWith((guest) => guest.crash('warmcell-agent: mounting the root\nKernel panic - not syncing: no root\n')),
  )
  expect(error).toMatchObject({ code: 'BOOT_FAILED', sandboxId: 'wc-test', retryable: true })
  expect(error.message).toContain("the agent's last step was 'mounting the root'")
  expect(error.message).toMatch(/after \d+ ms/)
  expect(error.message).toContain('The end of the console:\n')
  expect(error.message).toContain('Kernel panic - not syncing: no root')
  expect(error.message).toContain('warmcell doctor')
})

test('a guest that never answers fails at its deadline, and names the step', async () => {
  const error = await failure(
    hypervisorWith((guest) => guest.hang()),
    { deadlineMs: 30 },
  )
  expect(error).toMatchObject({ code: 'BOOT_FAILED' })
  expect(error.message).toContain("'boot the guest' did not end within 30 ms")
  expect(error.message).toContain('The host may be overloaded')
})

test('a guest without memory is told from one that hangs', async () => {
  const error = await failure(hypervisorWith((guest) => guest.crash('Kernel panic - not syncing: Out of memory\n')))
  expect(error.message).toContain('Give it more memory than 128 MiB.')
})

test('a guest that speaks something else is not believed', async () => {
  const error = await failure(hypervisorWith((guest) => guest.sendRaw(Buffer.from('login: '.repeat(4)))))
  expect(error).toMatchObject({ code: 'BOOT_FAILED', cause: { code: 'PROTOCOL' } })
})

test('an abort at any moment of the boot leaves nothing and rejects with its reason', async () => {
  for (const turns of [0, 1, 2, 3, 4, 6, 8]) {
    const abort = new AbortController()
    const hypervisor = hypervisorWith(() => {})
    const booting = bootMachine(hypervisor, spec, { signal: abort.signal })
    const settled = booting.then(
      (machine) => machine.destroy().then(() => 'booted'),
      (reason) => reason,
    )
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
    abort.abort('enough')
    expect(['enough', 'booted']).toContain(await settled)
    expect(hypervisor.guests).toEqual([])
  }
})

test('a hypervisor that comes too late is ended all the same', async () => {
  const real = hypervisorWith(() => {})
  const abort = new AbortController()
  let begun = false
  const late = {
    name: 'late',
    park: real.park,
    reopen: real.reopen,
    describe: real.describe,
    start: async (wanted: VmSpec) => {
      begun = true
      await new Promise((resolve) => setTimeout(resolve, 30))
      return real.start(wanted, new AbortController().signal)
    },
  }
  const booting = bootMachine(late, spec, { signal: abort.signal }).catch((error) => error)
  expect(begun).toBe(true)
  abort.abort('enough')
  expect(await booting).toBe('enough')
  expect(real.guestsStarted).toBe(1)
  expect(real.guests).toEqual([])
})

test('what the hypervisor itself refuses comes through as it is', async () => {
  const refusal = new Error('no such device')
  const failing = {
    name: 'failing',
    start: () => Promise.reject(refusal),
    park: () => Promise.reject(refusal),
    reopen: () => Promise.reject(refusal),
    describe: () => [],
  }
  await expect(bootMachine(failing, spec)).rejects.toMatchObject({
    code: 'BOOT_FAILED',
    cause: refusal,
    message: expect.stringContaining('the hypervisor never answered'),
  })
})
