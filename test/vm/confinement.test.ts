/** Behind a guest's own kernel its hypervisor is held, too: facts of a real QEMU, read off the host. */

import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { listMicrovms, type Sandbox } from '../../src/index.ts'
import { poolOfThisFile, sandboxOfThisFile, vmProcesses } from './vm.ts'

const pool = poolOfThisFile({
  templates: { base: { resources: { memoryMib: 128 } }, large: { resources: { memoryMib: 388 } } },
})
const sandbox = sandboxOfThisFile(pool)

let pid: number
beforeAll(() => {
  pid = vmProcesses(sandbox().id)[0] as number
})

const holds = (one: Sandbox, part: string): boolean => one.info().confinement.held.some((held) => held === part)
const status = (field: string): string => new RegExp(`^${field}:[ \\t]*(.*)$`, 'm').exec(proc('status'))?.[1] ?? ''
const proc = (file: string): string => readFileSync(`/proc/${pid}/${file}`, 'utf8')

describe('the hypervisor of a sandbox', () => {
  it('runs as a user that nobody else is', (context) => {
    if (!holds(sandbox(), 'user')) context.skip('only root can make somebody else of a process')
    const ids = [...status('Uid').split('\t'), ...status('Gid').split('\t')].map(Number)
    expect(new Set(ids).size).toBe(1)
    expect(ids[0]).toBeGreaterThanOrEqual(0x7000_0000)
    expect(status('Groups').trim()).toBe('')
  })

  it('has no capability, and cannot come by one', (context) => {
    if (!holds(sandbox(), 'capabilities')) context.skip(missing('capabilities'))
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      expect([set, status(set)]).toEqual([set, '0'.repeat(16)])
    expect(status('NoNewPrivs')).toBe('1')
  })

  it('is under two filters of system calls: one from its first instruction on, and its own', (context) => {
    if (!holds(sandbox(), 'system-calls')) context.skip(missing('system-calls'))
    expect(status('Seccomp')).toBe('2')
    expect(Number(status('Seccomp_filters'))).toBeGreaterThanOrEqual(2)
  })

  it('shares no namespace with its host but those of time and, run by root, of users', (context) => {
    if (!holds(sandbox(), 'namespaces')) context.skip(missing('namespaces'))
    for (const name of ['pid', 'net', 'ipc', 'uts', 'mnt', 'cgroup']) {
      expect(readlinkSync(`/proc/${pid}/ns/${name}`)).not.toBe(readlinkSync(`/proc/self/ns/${name}`))
    }
    expect(
      proc('net/dev')
        .split('\n')
        .slice(2)
        .filter(Boolean)
        .map((line) => line.trim().split(':')[0]),
    ).toEqual(['lo'])
  })

  it('sees a root in which nothing is that it has not been given, and nothing can be written', (context) => {
    if (!holds(sandbox(), 'file-system')) context.skip(missing('file-system'))
    expect(
      readdirSync(`/proc/${pid}/root`).filter((name) => ['etc', 'home', 'root', 'proc', 'sys', 'run', 'var'].includes(name)),
    ).toEqual([])
    const mounts = proc('mounts')
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[3]?.split(','))
    expect(mounts.length).toBeGreaterThan(3)
    for (const options of mounts) {
      expect(options).toContain('ro')
      expect(options).toContain('nosuid')
      expect(options).toContain('nodev')
    }
  })

  it('has limits of its own', (context) => {
    if (!holds(sandbox(), 'limits')) context.skip(missing('limits'))
    for (const line of ['core file size +0 +0', 'open files +256 +256', 'file size +0 +0', 'locked memory +65536 +65536']) {
      expect(proc('limits')).toMatch(new RegExp(line, 'i'))
    }
  })

  it('is in a control group of its own', (context) => {
    if (!holds(sandbox(), 'control-group')) context.skip(missing('control-group'))
    expect(proc('cgroup')).toContain(`/warmcell/${sandbox().id}.`)
  })

  it('holds no descriptor but its pipes, its disk, its template’s memory and what it made itself', () => {
    const kinds = readdirSync(`/proc/${pid}/fd`).map((descriptor) =>
      readlinkSync(`/proc/${pid}/fd/${descriptor}`).replace(/:.*/, ''),
    )
    const paths = kinds.filter((kind) => kind.startsWith('/') && kind !== '/dev/null')
    expect(paths.filter((path) => !/\/(memory|[^/]+\.erofs)$/.test(path))).toEqual([])
    expect(kinds.length).toBeLessThan(30)
  })
})

it('a template’s files are its builder’s, however they were written', async () => {
  const facts = (await listMicrovms()).find(({ id }) => id === sandbox().id)
  expect(facts?.template?.name).toBe('base')
  const memory = /mem-path=([^,\0]+)/.exec(proc('cmdline'))?.[1] as string
  for (const file of [memory, join(dirname(memory), 'state')]) {
    expect(statSync(file)).toMatchObject({ uid: process.getuid?.(), mode: 0o100_444 })
  }
})

/** Why this machine cannot show it. */
function missing(part: string): string {
  return `this host does not offer the part '${part}': see \`warmcell doctor\``
}

it('the first clone that fills a large memory meets the limit of its own kernel, not that of its control group', async () => {
  await using large = await pool().createSandbox({ template: 'large' })
  expect(await large.exec(['tail', '/dev/zero'], { maxBufferBytes: 0 })).toMatchObject({ signal: 'SIGKILL', oomKilled: true })
  expect((await large.exec(['echo', 'alive'])).stdout).toBe('alive\n')
})
