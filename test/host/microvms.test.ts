import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, test, vi } from 'vitest'
import { type MicrovmInfo, microvmsOf, type ProcessIdentity } from '../../src/host/index.ts'
import type { MicrovmSources } from '../../src/host/microvms.ts'
import type { VmFacts } from '../../src/hypervisor/index.ts'

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

test('elsewhere it is said that it cannot be', async () => {
  const platform = vi.spyOn(process, 'platform', 'get').mockReturnValue('darwin')
  await expect(listed('x')).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  platform.mockRestore()
})
