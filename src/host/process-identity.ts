/** Which process is meant. A pid is given out again; a pid with its start time and the boot of its host is not. */

import { readFile } from 'node:fs/promises'
import { hasEnded, type ProcessStat, readProcessStat } from '../common/process-stat.ts'
import { hostBootId } from './boot-id.ts'

export interface ProcessIdentity {
  readonly pid: number
  /** In the kernel's ticks since boot; '0' on systems that do not tell. */
  readonly startedAt: string
  /** The beginning of the host's boot id. */
  readonly boot: string
}

/** As many digits of the boot id as tell boots apart: 48 bits. */
const bootDigits = 12

let own: ProcessIdentity | undefined

/** Looked for once: it does not change. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  own ??= (await identityOf(process.pid)) ?? { pid: process.pid, startedAt: '0', boot: await bootDigest() }
  return own
}

/** Who has this pid now; undefined when nobody has, or when the one who had it has ended and was not yet reaped. */
export async function identityOf(pid: number): Promise<ProcessIdentity | undefined> {
  const life = await lifeOf(pid)
  if (life !== undefined) return hasEnded(life) ? undefined : { pid, startedAt: life.startedAt, boot: await bootDigest() }
  if (process.platform === 'linux' || !answersSignals(pid)) return undefined
  return { pid, startedAt: '0', boot: await bootDigest() }
}

/** As part of a file's name: what a crash leaves names its owner without anybody having to open it. */
export function identityText({ pid, startedAt, boot }: ProcessIdentity): string {
  return `${pid}-${startedAt}-${boot}`
}

/** The other way round; undefined for what is no identity. */
export function parseIdentity(text: string): ProcessIdentity | undefined {
  const [, pid, startedAt, boot] = /^([1-9]\d{0,9})-(\d{1,20})-(\w{1,12})$/.exec(text) ?? []
  if (pid === undefined || startedAt === undefined || boot === undefined) return undefined
  return { pid: Number(pid), startedAt, boot }
}

/**
 * Whether the process still runs: by who it is, never by how long ago it was heard of. One that has ended and was not yet reaped does not. It must be of this
 * host and of this pid namespace.
 */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  const { pid, startedAt } = identity
  if (!(await isOfThisBoot(identity))) return false
  const life = await lifeOf(pid)
  if (life !== undefined) return life.startedAt === startedAt && !hasEnded(life)
  // No such process; or no /proc, where the pid alone must do.
  return startedAt === '0' && answersSignals(pid)
}

/** Whatever was before has ended with its boot. */
export async function isOfThisBoot({ boot }: ProcessIdentity): Promise<boolean> {
  return boot === (await bootDigest())
}

async function bootDigest(): Promise<string> {
  return (await hostBootId()).replaceAll('-', '').slice(0, bootDigits)
}

async function lifeOf(pid: number): Promise<ProcessStat | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return ''
    // Not known is not dead.
    throw error
  })
  return readProcessStat(stat)
}

function answersSignals(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
