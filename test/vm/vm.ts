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
        return isVm(pid, id) && processGroup(outermost(pid)) === processGroup('self')
      } catch {
        // It ended meanwhile.
        return false
      }
    })
    .map(Number)
}

/** Whether a process is one of what another has started, however many lie between. One that has ended is not. */
export function descendsFrom(pid: number, ancestor: number): boolean {
  try {
    const parent = Number(fieldsOf(`${pid}`)[1])
    return parent === ancestor || (parent > 1 && descendsFrom(parent, ancestor))
  } catch {
    return false
  }
}

/** One that only starts QEMU has the same words behind a `--`. */
function isVm(pid: string, id: string): boolean {
  const argv = argvOf(pid)
  const [at, end] = [argv.indexOf('-name'), argv.indexOf('--')]
  const name = argv[at + 1] ?? ''
  const wanted = name.endsWith(',process=warmcell-vm') && name.startsWith(id === '' ? 'wc-' : id)
  return at !== -1 && wanted && (end === -1 || end > at)
}

/** The process that its owner has started: QEMU itself, or the first of what stands before it. */
function outermost(pid: string): string {
  const parent = fieldsOf(pid)[1] as string
  const argv = parent === '0' ? [] : argvOf(parent)
  return argv.includes('--') && argv.some((word) => word.endsWith(',process=warmcell-vm')) ? outermost(parent) : pid
}

/** It is inherited, also by orphans; another test run on this machine has another. */
function processGroup(pid: string): string | undefined {
  return fieldsOf(pid)[2]
}

function argvOf(pid: string): string[] {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
}

/** From the third field of stat on: behind a name that may hold anything. */
function fieldsOf(pid: string): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
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
