import { expect, test } from 'vitest'
import { createFakePool } from '../../src/testing/index.ts'

test('a sandbox is ready when it is handed over, and says what it is', async () => {
  await using pool = createFakePool({ templates: { small: { resources: { memoryMib: 128 } } } })
  const startedAt = Date.now()
  await using sandbox = await pool.createSandbox({
    template: 'small',
    tenant: 'alice',
    metadata: { job: '7' },
    timeoutMs: 60_000,
  })
  const info = sandbox.info()
  expect(info).toMatchObject({
    id: sandbox.id,
    tenant: 'alice',
    template: 'small',
    state: 'running',
    origin: 'clone',
    isolation: 'emulated',
    metadata: { job: '7' },
  })
  expect(info.createMs).toBeGreaterThan(0)
  expect(info.createdAt.getTime()).toBeGreaterThanOrEqual(startedAt)
  expect(info.expiresAt?.getTime()).toBeGreaterThan(startedAt + 50_000)
  expect(sandbox.tenant).toBe('alice')
})

test('env, cwd, user and files are bound late: template, then pool, then sandbox, then command', async () => {
  await using pool = createFakePool({
    templates: { base: { env: { A: 'template', B: 'template', C: 'template', D: 'template' }, user: 'root', cwd: '/srv' } },
    defaults: { env: { B: 'pool', C: 'pool', D: undefined }, files: { 'shared.txt': 'of the pool' }, metadata: { from: 'pool' } },
  })
  await using plain = await pool.createSandbox()
  expect((await plain.exec('pwd; whoami; env; cat shared.txt')).stdout).toBe(
    '/srv\nroot\nA=template\nB=pool\nC=pool\nof the pool',
  )
  await using bound = await pool.createSandbox({
    env: { C: 'sandbox', A: undefined },
    cwd: '/srv',
    user: '1000:1000',
    files: { 'in/it.txt': 'text ', '/etc/motd': Buffer.from('bytes') },
  })
  expect((await bound.exec('pwd; whoami; env; cat in/it.txt /etc/motd')).stdout).toBe(
    '/srv\n1000:1000\nB=pool\nC=sandbox\ntext bytes',
  )
  const { stdout } = await bound.exec('pwd; whoami; env', { cwd: 'in', user: 'root', env: { B: undefined, E: 'command' } })
  expect(stdout).toBe('/srv/in\nroot\nC=sandbox\nE=command\n')
  expect(bound.info().metadata).toEqual({ from: 'pool' })
})

test('without a cwd, files and commands start at the home of the user', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox({ files: { 'hello.txt': 'hello' } })
  expect((await sandbox.exec('pwd; cat hello.txt')).stdout).toBe('/home/user\nhello')
})

test('each microVM gets an identity of its own', async () => {
  await using pool = createFakePool()
  const sandboxes = await Promise.all(Array.from({ length: 10 }, () => pool.createSandbox()))
  const identities = sandboxes.map((sandbox) => pool.guestOf(sandbox).identity)
  expect(new Set(identities.map((identity) => identity?.machineId)).size).toBe(10)
  expect(new Set(identities.map((identity) => Buffer.from(identity?.entropy ?? []).toString('hex'))).size).toBe(10)
  expect(identities.map((identity) => identity?.hostname)).toEqual(sandboxes.map(({ id }) => id))
})

const wrong: [string, object, string][] = [
  ['an unknown option', { templte: 'base' }, 'templte'],
  ['a template that is not there', { template: 'nope' }, "no template 'nope'. This pool has: base."],
  ['a tenant without a name', { tenant: '' }, "option 'tenant'"],
  ['a negative lifetime', { timeoutMs: -1 }, "option 'timeoutMs'"],
  ['a lifetime that is no number', { idleTimeoutMs: '5' }, "option 'idleTimeoutMs'"],
  ['a variable with = in its name', { env: { 'A=B': '1' } }, "option 'env.A=B'"],
  ['a variable with NUL in it', { env: { A: 'a\0b' } }, "option 'env.A'"],
  ['a file that is no data', { files: { 'a.txt': 7 } }, "option 'files.a.txt'"],
  ['a signal that is none', { signal: {} }, "option 'signal'"],
  ['egress, which does not exist yet', { egress: 'allow-all' }, 'egress'],
]
test.each(wrong)('%s is refused before anything is started', async (_, options, message) => {
  await using pool = createFakePool()
  await expect(pool.createSandbox(options)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining(message),
  })
  expect(pool.guestsStarted).toBe(0)
  expect(pool.stats()).toMatchObject({ waiting: 0, booting: 0, assigned: 0 })
})

test('a pool refuses options that it does not know or cannot mean', () => {
  const make = (options: object) => () => createFakePool(options)
  expect(make({ budget: { memoryMib: 0 } })).toThrow("option 'budget.memoryMib'")
  expect(make({ budget: { cpus: 1 } })).toThrow('cpus')
  expect(make({ defaults: { tenant: 'alice' } })).toThrow('tenant')
  expect(make({ templates: { a: { resources: { memoryMib: 128, diskMib: 129 } } } })).toThrow('raise memoryMib')
  expect(make({ templates: { a: { rot: 'base' } } })).toThrow("template 'a'")
})

test('two pools share nothing, and an id finds its sandbox only in its own', async () => {
  await using one = createFakePool()
  await using other = createFakePool()
  const sandbox = await one.createSandbox()
  expect(one.getSandbox(sandbox.id)).toBe(sandbox)
  expect(other.getSandbox(sandbox.id)).toBeUndefined()
  expect(await other.destroySandbox(sandbox.id)).toBe(false)
  expect(sandbox.state).toBe('running')
  expect(await one.destroySandbox(sandbox.id)).toBe(true)
  expect(sandbox.state).toBe('destroyed')
  expect(one.getSandbox(sandbox.id)).toBeUndefined()
})

test('listSandboxes lists who lives, oldest first, by tenant and by all of the metadata', async () => {
  await using pool = createFakePool()
  const a = await pool.createSandbox({ tenant: 'a', metadata: { kind: 'x', run: '1' } })
  const b = await pool.createSandbox({ tenant: 'b', metadata: { kind: 'x', run: '2' } })
  const c = await pool.createSandbox({ tenant: 'a' })
  const ids = (filter?: Parameters<typeof pool.listSandboxes>[0]): string[] => pool.listSandboxes(filter).map(({ id }) => id)
  expect(ids()).toEqual([a.id, b.id, c.id])
  expect(ids({ tenant: 'a' })).toEqual([a.id, c.id])
  expect(ids({ metadata: { kind: 'x' } })).toEqual([a.id, b.id])
  expect(ids({ metadata: { kind: 'x', run: '2' } })).toEqual([b.id])
  expect(ids({ tenant: 'a', metadata: { run: '2' } })).toEqual([])
  expect(ids({ metadata: { constructor: 'x' } })).toEqual([])
  await a.destroy()
  expect(ids()).toEqual([b.id, c.id])
})

test('what info returns is a copy', async () => {
  await using pool = createFakePool()
  const sandbox = await pool.createSandbox({ metadata: { a: '1' } })
  sandbox.info().metadata.a = 'changed'
  expect(sandbox.info().metadata).toEqual({ a: '1' })
})

test('an option passed as undefined is one that was not passed', async () => {
  await using pool = createFakePool({ defaults: { user: 'root', cwd: '/srv' } })
  await using sandbox = await pool.createSandbox({ user: undefined, cwd: undefined } as object)
  expect((await sandbox.exec('pwd; whoami')).stdout).toBe('/srv\nroot\n')
})
