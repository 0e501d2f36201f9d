/** The processes of this host, as Linux tells of them in /proc. */

import { readdir, readFile } from 'node:fs/promises'
import { hasEnded, type ProcessStat, readProcessStat } from '../common/process-stat.ts'

/** What it takes to know whose a process is. */
export interface ProcessKin {
  readonly pid: number
  readonly argv: readonly string[]
  readonly parentPid: number
  /** Inherited, and kept when its parent dies. */
  readonly session: number
  /** In whose name it acts. */
  readonly euid: number
}

export interface HostProcess extends ProcessKin {
  /** By a signal, such as SIGSTOP. */
  readonly stopped: boolean
  readonly startedAt: Date
  /** Of all its threads. */
  readonly cpuMs: number
  /** Pages of it that are in memory, those included that it shares with others. */
  readonly residentBytes: number
  /** Its proportional share: a page that n processes have counts for an n-th. Undefined where the kernel does not tell. */
  readonly proportionalBytes: number | undefined
}

/** What the kernel counts processor time and start times in for programs, on every architecture that Node runs on: USER_HZ of 100. */
const tickMs = 10

/** Those whose command line `wanted` knows, by pid. One that ends meanwhile is left out. */
export async function processesWith(wanted: (argv: readonly string[]) => boolean): Promise<HostProcess[]> {
  const bootedAt = Date.now() - Number((await readFile('/proc/uptime', 'utf8')).split(' ')[0]) * 1_000
  const found = await Promise.all((await pidsWith(wanted)).map((pid) => describe(pid, bootedAt)))
  return found.filter((one) => one !== undefined && wanted(one.argv)) as HostProcess[]
}

/** As `processesWith`, in ascending order and nothing but who they are. */
export async function pidsWith(wanted: (argv: readonly string[]) => boolean): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const known = await Promise.all(pids.map(async (pid) => wanted(await commandLineOf(pid))))
  return pids.filter((_, index) => known[index]).sort((a, b) => a - b)
}

/** Empty for one that has ended, one that is just ending, and for a thread of the kernel. */
export async function commandLineOf(pid: number): Promise<string[]> {
  return (await read(pid, 'cmdline')).split('\0').slice(0, -1)
}

/** Undefined for one that has ended. */
export async function kinOf(pid: number): Promise<ProcessKin | undefined> {
  const [argv, stat, status] = await Promise.all([commandLineOf(pid), read(pid, 'stat'), read(pid, 'status')])
  return kinIn(pid, argv, readProcessStat(stat), status)
}

async function describe(pid: number, bootedAt: number): Promise<HostProcess | undefined> {
  const reading = Promise.all([read(pid, 'stat'), read(pid, 'status'), read(pid, 'smaps_rollup')])
  const [argv, [stat, status, rollup]] = await Promise.all([commandLineOf(pid), reading])
  const facts = readProcessStat(stat)
  const kin = kinIn(pid, argv, facts, status)
  if (facts === undefined || kin === undefined) return undefined
  const { state, cpuTicks, startedAt } = facts
  return {
    ...kin,
    stopped: state === 'T' || state === 't',
    startedAt: new Date(bootedAt + Number(startedAt) * tickMs),
    cpuMs: cpuTicks * tickMs,
    residentBytes: kibibytes(status, 'VmRSS') ?? 0,
    proportionalBytes: kibibytes(rollup, 'Pss'),
  }
}

/** The user is the second number of Uid in proc_pid_status(5). */
function kinIn(pid: number, argv: readonly string[], facts: ProcessStat | undefined, status: string): ProcessKin | undefined {
  const euid = /^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1]
  if (facts === undefined || hasEnded(facts) || euid === undefined) return undefined
  const { parentPid, session } = facts
  return { pid, argv, parentPid, session, euid: Number(euid) }
}

function kibibytes(text: string, name: string): number | undefined {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]
  return found === undefined ? undefined : Number(found) * 1_024
}

/** '' when there is no such process any more, or what it says is not for this user. */
function read(pid: number, file: string): Promise<string> {
  return readFile(`/proc/${pid}/${file}`, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(error.code ?? '')) return ''
    throw error
  })
}
