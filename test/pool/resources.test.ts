import { expect, test } from 'vitest'
import { limitsOf, within } from '../../src/pool/limiting.ts'
import { resolveTemplate } from '../../src/template/index.ts'
import { createFakePool, type FakeStep } from '../../src/testing/index.ts'

const mib = 1_048_576
const templates = { base: { resources: { vcpus: 2, memoryMib: 256, diskMib: 100, pids: 64 } } }

test('a sandbox may have less than its template, and what is not named stays', async () => {
  await using pool = createFakePool({ templates })
  await using small = await pool.createSandbox({ resources: { vcpus: 0.5, memoryMib: 64, diskMib: 10, pids: 8 } })
  expect(pool.guestOf(small).limits).toEqual({ cpuPercent: 50, memoryBytes: 64 * mib, diskBytes: 10 * mib, processes: 8 })
  expect(await small.usage()).toMatchObject({ memoryLimitBytes: 64 * mib, diskLimitBytes: 10 * mib })
  await using beside = await pool.createSandbox({ resources: { pids: 32 } })
  expect(pool.guestOf(beside).limits).toEqual({
    cpuPercent: 200,
    memoryBytes: 224 * mib,
    diskBytes: 100 * mib,
    processes: 32,
  })
})

test('limits hold before the files are written', async () => {
  await using pool = createFakePool({ templates })
  const create = pool.createSandbox({ resources: { diskMib: 1 }, files: { 'big.bin': new Uint8Array(2 * mib) } })
  await expect(create).rejects.toMatchObject({ code: 'FILE', errno: 'ENOSPC' })
  expect(pool.guests).toEqual([])
})

test('without resources, or with the template’s own, nothing is said to the guest', async () => {
  const steps: FakeStep[] = []
  await using pool = createFakePool({ templates, onGuestStep: (_, step) => void steps.push(step) })
  await using _one = await pool.createSandbox()
  await using _two = await pool.createSandbox({ resources: {} })
  await using _three = await pool.createSandbox({ resources: { vcpus: 2, memoryMib: 256, diskMib: 100, pids: 64 } })
  expect(steps).not.toContain('Limit')
  expect(steps).not.toContain('Measure')
  await using _four = await pool.createSandbox({ resources: { pids: 10 } })
  expect(steps.filter((step) => step === 'Limit' || step === 'Measure')).toEqual(['Limit'])
})

test.each(['vcpus', 'memoryMib', 'diskMib', 'pids'] as const)(
  'more %s than the template is refused, and nothing is started',
  async (name) => {
    await using pool = createFakePool({ templates })
    const most = templates.base.resources[name]
    await expect(pool.createSandbox({ resources: { [name]: most + 1 } })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(`option 'resources.${name}' is ${most + 1}, and template 'base' has ${most}.`),
    })
    expect(pool.guestsStarted).toBe(0)
  },
)

test.each([{ vcpus: 0 }, { memoryMib: 7 }, { memoryMib: 64.5 }, { diskMib: 0 }, { pids: 1 }, { cpus: 1 }])(
  '%o is refused',
  async (resources) => {
    await using pool = createFakePool({ templates })
    await expect(pool.createSandbox({ resources })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(() => createFakePool({ defaults: { resources } })).toThrow('createPool')
  },
)

test('the pool’s defaults stand under those of a create, one by one', async () => {
  await using pool = createFakePool({ templates, defaults: { resources: { pids: 16, memoryMib: 64 } } })
  await using one = await pool.createSandbox()
  expect(pool.guestOf(one).limits).toMatchObject({ processes: 16, memoryBytes: 64 * mib })
  await using two = await pool.createSandbox({ resources: { memoryMib: 128, pids: undefined } as object })
  expect(pool.guestOf(two).limits).toMatchObject({ processes: 16, memoryBytes: 128 * mib })
})

test('what the template left in use is not taken away: the create is told, and the microVM thrown away', async () => {
  await using pool = createFakePool({
    templates,
    onTemplateStart: (guest) => void guest.files.set('/srv/data', new Uint8Array(5 * mib)),
  })
  const failures: unknown[] = []
  pool.on('bootFailed', (error) => void failures.push(error))
  const failure = await pool.createSandbox({ resources: { diskMib: 4 } }).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'INVALID_ARGUMENT', sandboxId: expect.any(String) })
  expect((failure as Error).message).toMatch(/More is in use in the guest already .*EBUSY: diskBytes is 5242880 already/)
  expect(pool.guests).toEqual([])
  expect(failures).toEqual([])
  expect(pool.stats().failures).toEqual({})
  await using sandbox = await pool.createSandbox({ resources: { diskMib: 5 } })
  expect(sandbox.state).toBe('running')
})

test('a guest that dies while it is limited is a failure of binding, and nothing is left', async () => {
  await using pool = createFakePool({ templates, onGuestStep: (guest, step) => void (step === 'Limit' && guest.crash()) })
  await expect(pool.createSandbox({ resources: { pids: 10 } })).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE' })
  expect(pool.guests).toEqual([])
  expect(pool.stats().failures).toMatchObject({ bind: 1 })
})

test('an abort while it is limited leaves nothing', async () => {
  await using pool = createFakePool({ templates, onGuestStep: (guest, step) => void (step === 'Measure' && guest.hang()) })
  await expect(pool.createSandbox({ resources: { memoryMib: 64 }, signal: AbortSignal.timeout(50) })).rejects.toMatchObject({
    name: 'TimeoutError',
  })
  expect(pool.guests).toEqual([])
})

test('processes above the limit are not started, and the next one is when there is room', async () => {
  await using pool = createFakePool({ templates })
  await using sandbox = await pool.createSandbox({ resources: { pids: 8 } })
  const eight = await Promise.all(Array.from({ length: 8 }, () => sandbox.spawn('sleep infinity')))
  await expect(sandbox.exec('true')).rejects.toMatchObject({
    code: 'SPAWN_FAILED',
    retryable: true,
    message: expect.stringContaining('EAGAIN'),
  })
  await eight[0]?.kill('SIGKILL')
  await eight[0]?.wait()
  expect(await sandbox.exec('true')).toMatchObject({ ok: true })
})

test('what is asked for is kept within what this guest has', () => {
  const guest = {
    cpuUs: 0,
    memoryBytes: 0,
    memoryMaxBytes: 200 * mib,
    diskBytes: 0,
    diskMaxBytes: 128 * mib,
    processes: 0,
    oomKills: 0,
  }
  expect(within({ memoryBytes: 240 * mib }, guest)).toEqual({})
  expect(within({ memoryBytes: 240 * mib, processes: 9, cpuPercent: 20 }, guest)).toEqual({ processes: 9, cpuPercent: 20 })
  // Files are memory too: what may be written stays below what may be held.
  expect(within({ memoryBytes: 100 * mib }, guest)).toEqual({ memoryBytes: 100 * mib, diskBytes: 75 * mib })
  expect(within({ memoryBytes: 100 * mib, diskBytes: 10 * mib }, guest)).toEqual({ memoryBytes: 100 * mib, diskBytes: 10 * mib })
  expect(within({ diskBytes: 127 * mib }, guest)).toEqual({ diskBytes: 127 * mib })
  expect(within({ diskBytes: 150 * mib }, guest)).toEqual({})
})

test('a part of a processor is a share of its time', () => {
  const template = resolveTemplate('base', templates.base)
  expect(limitsOf({ vcpus: 0.1 }, template)).toEqual({ cpuPercent: 10 })
  expect(limitsOf({ vcpus: 1.25 }, template)).toEqual({ cpuPercent: 125 })
  expect(limitsOf({ vcpus: 2 }, template)).toBeUndefined()
  expect(limitsOf(undefined, template)).toBeUndefined()
})
