/** What the tests over real microVMs share: a pool per test file, and facts about processes of this host. */

import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll } from 'vitest'
import { type CreateSandboxOptions, createPool, type Pool, type PoolOptions, type Sandbox } from '../../src/index.ts'

/** A pool for the file that calls this. Emulated: the tests run on machines without an accelerator, and nothing in them needs a security boundary. */
export function poolOfThisFile(options: PoolOptions = {}): () => Pool {
  let pool: Pool
  beforeAll(async () => {
    pool = await createPool({ isolation: 'emulated', ...options })
  })
  afterAll(async () => {
    await pool?.close()
  })
  return () => pool
}

/** One sandbox that the tests of a file share, where none of them changes it for the others. */
export function sandboxOfThisFile(pool: () => Pool, options: CreateSandboxOptions = {}): () => Sandbox {
  let sandbox: Sandbox
  beforeAll(async () => {
    sandbox = await pool().createSandbox(options)
  })
  return () => sandbox
}

/** How many processes of the guest are exactly this command. */
export async function running(sandbox: Sandbox, command: string): Promise<number> {
  const { stdout } = await sandbox.exec(['ps', '-o', 'args'])
  return stdout.split('\n').filter((line) => line.trim() === command).length
}

/** The QEMU processes of sandboxes that this test run has started, itself or through a program: all, or those of one sandbox. */
export function vmProcesses(id = ''): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        // Behind a `--` it is the program of a wrapper, which is none itself.
        return (
          line.includes('qemu-system') &&
          !line.slice(0, line.indexOf('\0-name\0')).includes('\0--\0') &&
          line.includes(`\0${id === '' ? 'wc-' : id}`) &&
          processGroup(pid) === processGroup('self')
        )
      } catch {
        // It ended meanwhile.
        return false
      }
    })
    .map(Number)
}

/** It is inherited, also by orphans; another test run on this machine has another. The fifth field of stat, after a name that may hold anything. */
function processGroup(pid: string): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')')).split(' ')[3]
}

/** Resolves when `condition` holds, or with false when it has not held for `ms`. */
export async function eventually(condition: () => boolean, ms: number): Promise<boolean> {
  const until = performance.now() + ms
  while (!condition()) {
    if (performance.now() > until) return false
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return true
}
