import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { describe, expect, test, vi } from 'vitest'
import { identityText, type MicrovmInfo, microvmsOf, type ProcessIdentity } from '../../src/host/index.ts'
import type { MicrovmSources } from '../../src/host/microvms.ts'
import { identityOf } from '../../src/host/process-identity.ts'
import type { VmFacts } from '../../src/hypervisor/index.ts'
import { Scratch } from '../support/scratch.ts'

/** A process that passes for a microVM: its second argument is its id, its third the file of its memory. */
async function stranger(id: string, hostMemoryPath = ''): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', 'console.log("up"); setInterval(() => {}, 1e6)', id, hostMemoryPath], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await once(child.stdout as NodeJS.ReadableStream, 'data')
  return child
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await once(child, 'close')
}

function recognise(prefix: string) {
  return (argv: readonly string[]): VmFacts | undefined => {
    const [id, hostMemoryPath = ''] = argv.slice(3)
    if (id?.startsWith(prefix) !== true) return undefined
    return { id, isolation: 'emulated', vcpus: 1, memoryMib: 128, ...(hostMemoryPath !== '' && { hostMemoryPath }) }
  }
}

function listed(
  prefix: string,
  nameOf: MicrovmSources['nameOf'] = async () => '',
  owners: ReadonlyMap<string, ProcessIdentity> = new Map(),
): Promise<MicrovmInfo[]> {
  return microvmsOf({ recognise: recognise(prefix), nameOf, journalledOwners: async () => owners })
}

const digest = 'ab'.repeat(32)

describe.runIf(process.platform === 'linux')('on Linux', () => {
  test('a microVM is listed with what its process takes, and whose it is', async () => {
    const prefix = `vm-${process.pid}-`
    const [one, two] = [await stranger(`${prefix}one`), await stranger(`${prefix}two`, `/templates/${digest}/memory`)]
    two.kill('SIGSTOP')
    await expect.poll(async () => (await listed(prefix)).map(({ state }) => state)).toEqual(['running', 'paused'])
    const [first, second] = await listed(prefix, async (hostDirectory) => `named after ${hostDirectory}`)
    expect(first).toMatchObject({ id: `${prefix}one`, pid: one.pid, state: 'running', isolation: 'emulated', memoryMib: 128 })
    expect(first).not.toHaveProperty('template')
    expect(second).toMatchObject({ id: `${prefix}two`, template: { digest, name: `named after /templates/${digest}` } })
    expect(first?.owner.pid).toBe(process.pid)
    expect(first?.owner.command[0]).toBeDefined()
    expect(Math.abs(Date.now() - (first?.startedAt.getTime() ?? 0))).toBeLessThan(60_000)
    expect(first?.cpuMs).toBeGreaterThanOrEqual(0)
    expect(first?.residentBytes).toBeGreaterThan(2 ** 20)
    expect(first?.memoryBytes).toBeGreaterThan(0)
    expect(first?.memoryBytes).toBeLessThanOrEqual(first?.residentBytes ?? 0)
    await Promise.all([end(one), end(two)])
    expect(await listed(prefix)).toEqual([])
  })

  test('a template in the making is told by the digest it will have', async () => {
    const prefix = `draft-${process.pid}-`
    const child = await stranger(`${prefix}one`, `/templates/${digest}.new.1-2-3.00000000/memory`)
    const [only] = await listed(prefix)
    expect(only?.template).toEqual({ digest, name: '' })
    await end(child)
  })

  test('processes that come and go meanwhile are no failure', async () => {
    const prefix = `brief-${process.pid}-`
    let done = false
    const listing = (async () => {
      let seen = 0
      while (!done) seen += (await listed(prefix)).length
      return seen
    })()
    for (let turn = 0; turn < 5; turn++) await end(await stranger(`${prefix}${turn}`))
    done = true
    expect(await listing).toBeGreaterThan(0)
  })
})

/** A microVM has its name behind `-name`, unless a `--` comes first: as QEMU and what starts it have. */
const named = (argv: readonly string[]): VmFacts | undefined => {
  const [at, end] = [argv.indexOf('-name'), argv.indexOf('--')]
  const id = argv[at + 1]
  if (at === -1 || id === undefined || (end !== -1 && end < at)) return undefined
  return { id, isolation: 'emulated', vcpus: 1, memoryMib: 1 }
}

const byName = (id: string, owners: ReadonlyMap<string, ProcessIdentity> = new Map()): Promise<MicrovmInfo[]> =>
  microvmsOf({ recognise: named, nameOf: async () => '', journalledOwners: async () => owners }).then((all) =>
    all.filter((one) => one.id === id),
  )

describe.runIf(process.platform === 'linux')('whose it is', () => {
  test('what stands between a microVM and its owner is neither', async () => {
    using scratch = new Scratch()
    const id = `wrapped-${process.pid}`
    // Two of them, as bwrap is: each waits for what its words behind a `--` start.
    const wrapper = scratch.script('wrap', 'while [ "$1" != -- ]; do shift; done; shift; "$@" & wait')
    const vm = ['sh', '-c', 'echo $$; kill -STOP $$', 'sh', '-name', id]
    const child = spawn(wrapper, ['outer', '--', wrapper, 'inner', '--', ...vm], { stdio: ['ignore', 'pipe', 'ignore'] })
    const pid = Number(String((await once(child.stdout, 'data'))[0]))
    expect(await byName(id)).toMatchObject([{ pid, owner: { pid: process.pid } }])
    process.kill(pid, 'SIGKILL')
    await once(child, 'close')
  })

  test('one whose owner has died is still listed, without the owner’s words', async () => {
    const id = `orphan-${process.pid}`
    // Its owner leads a session of its own, so that whoever takes the microVM in is of another.
    const script = 'sh -c \'echo $$; kill -STOP $$\' sh -name "$ID" & wait'
    const shell = spawn('setsid', ['--fork', 'sh', '-c', script, 'owner'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, ID: id },
    })
    const pid = Number(String((await once(shell.stdout, 'data'))[0]))
    const [before] = await byName(id)
    expect(before?.owner.command).toContain('owner')
    const ownerPid = before?.owner.pid ?? 0
    const program = await identityOf(pid)
    const owner = await identityOf(ownerPid)
    process.kill(ownerPid, 'SIGKILL')
    await expect.poll(async () => (await byName(id))[0]?.owner).toEqual({ pid: 0, command: [] })
    // A journal knows who it was.
    const owners = new Map([[identityText(program as ProcessIdentity), owner as ProcessIdentity]])
    expect((await byName(id, owners))[0]?.owner).toEqual({ pid: ownerPid, command: [] })
    const closed = once(shell, 'close')
    process.kill(pid, 'SIGKILL')
    await closed
  })

  test.runIf(process.getuid?.() === 0)('it is the owner’s user that counts, whatever user it runs as itself', async () => {
    const id = `user-${process.pid}`
    const child = spawn(
      'setpriv',
      ['--reuid', '12345', '--clear-groups', 'sh', '-c', 'echo up; kill -STOP $$', 'sh', '-name', id],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    )
    await once(child.stdout as NodeJS.ReadableStream, 'data')
    expect(await byName(id)).toMatchObject([{ pid: child.pid, owner: { pid: process.pid } }])
    const euid = vi.spyOn(process as { geteuid: () => number }, 'geteuid').mockReturnValue(54_321)
    expect(await byName(id)).toEqual([])
    euid.mockRestore()
    await end(child)
  })

  test.runIf(process.getuid?.() === 0 && existsSync('/usr/bin/bwrap'))(
    'nor what bwrap makes of it, in a session and namespaces of its own',
    async () => {
      const id = `bwrap-${process.pid}`
      const confine = ['setpriv', '--reuid', '12345', '--clear-groups', '--', 'bwrap', '--unshare-all', '--new-session']
      const root = ['--die-with-parent', '--ro-bind', '/', '/', '--']
      const vm = ['sh', '-c', 'echo up; kill -STOP $$; exit', 'sh', '-name', id]
      const [program = '', ...args] = [...confine, ...root, ...vm]
      const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] })
      await once(child.stdout, 'data')
      const [only, ...more] = await byName(id)
      expect(only?.owner.pid).toBe(process.pid)
      expect(more).toEqual([])
      expect(only?.pid).not.toBe(child.pid)
      await end(child)
    },
  )
})

test('elsewhere it is said that it cannot be', async () => {
  const platform = vi.spyOn(process, 'platform', 'get').mockReturnValue('darwin')
  await expect(listed('x')).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  platform.mockRestore()
})
