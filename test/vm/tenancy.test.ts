/** Tenants whose sandboxes come and go among each other's share no process, no descriptor, no file and no byte. */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createPool, type Sandbox } from '../../src/index.ts'
import { effort } from '../support/effort.ts'
import { vmProcesses } from './vm.ts'

/** Sandboxes in all, and how many at a time. */
const many = effort(24, 200)
const atOnce = 8

/** What whoever started this test run has left open for every process of it: of no sandbox, and seen in all. */
const inherited = new Set(targetsOf(process.ppid))

function targetsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((descriptor) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${descriptor}`)]
    } catch {
      return [] // It was closed meanwhile.
    }
  })
}

/** What the process of a sandbox holds that no other may hold: its sockets, and the files that it could write to. */
function holdings(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((descriptor) => {
    try {
      const target = readlinkSync(`/proc/${pid}/fd/${descriptor}`)
      const writable =
        (Number.parseInt(/^flags:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${descriptor}`, 'utf8'))?.[1] ?? '0', 8) &
          3) !==
        0
      if (target.startsWith('anon_inode:') || target === '/dev/null' || inherited.has(target)) return []
      return target.startsWith('socket:') || target.startsWith('pipe:') || writable ? [target] : []
    } catch {
      return [] // It was closed meanwhile.
    }
  })
}

/** Where else a tenant's word could have come to: everything a guest's root can read without waiting, its memory as the kernel shows it included. */
const everywhere = (canary: string): string =>
  `{ env; cat /proc/*/environ /proc/*/cmdline; ps -o args; dmesg; find / -xdev -type f -size -4096k ! -path '/proc/*' ! -path '/sys/*' -exec cat {} +; } 2>/dev/null | grep -c -- '${canary}'`

it(`${many} sandboxes of two tenants, ${atOnce} at a time: each has a process and holdings of its own, and finds nothing of another`, {
  timeout: 900_000,
}, async () => {
  await using pool = await createPool({ isolation: 'emulated', templates: { base: { resources: { memoryMib: 128 }, warm: 2 } } })
  await pool.ready()
  const seen = { ids: new Set<string>(), pids: new Set<number>() }
  const canaryOf = (index: number): string => `canary-${index % 2 === 0 ? 'alice' : 'bob'}-${index}-`
  for (let first = 0; first < many; first += atOnce) {
    const batch = await Promise.all(
      Array.from({ length: atOnce }, async (_, offset): Promise<[number, Sandbox]> => {
        const index = first + offset
        const canary = canaryOf(index)
        const tenant = index % 2 === 0 ? 'alice' : 'bob'
        const sandbox = await pool.createSandbox({ tenant, env: { CANARY: canary }, metadata: { canary }, files: { canary } })
        await sandbox.exec(
          `echo ${canary} >/tmp/canary; echo ${canary} | tee /dev/shm/canary /var/tmp/canary; (exec -a ${canary} sleep 300) & sleep 0`,
        )
        return [index, sandbox]
      }),
    )
    const held = new Map<string, string>()
    for (const [index, sandbox] of batch) {
      const pids = vmProcesses(sandbox.id)
      expect(pids.length).toBeGreaterThan(0)
      expect(seen.ids.has(sandbox.id)).toBe(false)
      seen.ids.add(sandbox.id)
      for (const pid of pids) {
        seen.pids.add(pid)
        // Nothing of its tenant is in what any other user of the host can read of it.
        expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8') + readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain(
          'canary',
        )
        for (const holding of holdings(pid)) {
          expect(held.get(holding) ?? sandbox.id, holding).toBe(sandbox.id)
          held.set(holding, sandbox.id)
        }
      }
      expect(sandbox.info()).toMatchObject({ tenant: index % 2 === 0 ? 'alice' : 'bob', metadata: { canary: canaryOf(index) } })
    }
    expect(held.size).toBeGreaterThanOrEqual(3 * atOnce)
    // A few look everywhere: it takes seconds.
    await Promise.all(
      batch.slice(0, effort(1, 4)).map(async ([index, sandbox]) => {
        const own = Number((await sandbox.exec(everywhere(canaryOf(index)), { user: 'root' })).stdout)
        expect(own).toBeGreaterThan(3)
        const all = Number((await sandbox.exec(everywhere('canary-[a-z]*-[0-9]*-'), { user: 'root' })).stdout)
        const others = (
          await sandbox.exec(`${everywhere('canary-[a-z]*-[0-9]*-').replace('grep -c', 'grep -o')} | sort -u`, { user: 'root' })
        ).stdout
        expect(all).toBeGreaterThan(3)
        expect([...new Set(others.match(/canary-\w+-\d+-/g))]).toEqual([canaryOf(index)])
      }),
    )
    // Each tenant sees what is its own in the pool.
    for (const tenant of ['alice', 'bob'])
      expect(pool.listSandboxes({ tenant }).every((info) => info.metadata.canary?.startsWith(`canary-${tenant}-`))).toBe(true)
    await Promise.all(batch.map(([, sandbox]) => sandbox.destroy()))
  }
  expect(seen.ids.size).toBe(many)
  await pool.close()
  // Nor on the host: what is stored is of templates, and was there before any tenant.
  const stored = [process.env.XDG_STATE_HOME ?? '', process.env.WARMCELL_TEMPLATE_DIR ?? ''].flatMap((home) =>
    readdirSync(home, { recursive: true, withFileTypes: true }).flatMap((entry) =>
      entry.isFile() ? [join(entry.parentPath, entry.name)] : [],
    ),
  )
  expect(stored.length).toBeGreaterThan(0)
  for (const file of stored) expect(readFileSync(file).includes('canary-')).toBe(false)
})
