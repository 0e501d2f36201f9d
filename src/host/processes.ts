/** The processes of this user on this host, as Linux tells of them in /proc. */

import { readdir, readFile } from 'node:fs/promises'
import { hasEnded, readProcessStat } from './process-stat.ts'

export interface HostProcess {
  readonly pid: number
  readonly argv: readonly string[]
  readonly parentPid: number
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
export async function processesOfUser(wanted: (argv: readonly string[]) => boolean): Promise<HostProcess[]> {
  const bootedAt = Date.now() - Number((await readFile('/proc/uptime', 'utf8')).split(' ')[0]) * 1_000
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const found = await Promise.all(
    pids.map(async (pid) => {
      const argv = await commandLineOf(pid)
      return wanted(argv) ? describe(pid, argv, bootedAt) : undefined
    }),
  )
  return found.filter((one) => one !== undefined).sort((a, b) => a.pid - b.pid)
}

/** Empty for one that has ended, and for a thread of the kernel. */
export async function commandLineOf(pid: number): Promise<string[]> {
  return (await read(pid, 'cmdline')).split('\0').slice(0, -1)
}

async function describe(pid: number, argv: readonly string[], bootedAt: number): Promise<HostProcess | undefined> {
  const [stat, status, rollup] = await Promise.all([read(pid, 'stat'), read(pid, 'status'), read(pid, 'smaps_rollup')])
  const facts = readProcessStat(stat)
  const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1]
  if (facts === undefined || hasEnded(facts) || Number(uid) !== process.geteuid?.()) return undefined
  const { state, parentPid, cpuTicks, startedAt } = facts
  return {
    pid,
    argv,
    parentPid,
    stopped: state === 'T' || state === 't',
    startedAt: new Date(bootedAt + Number(startedAt) * tickMs),
    cpuMs: cpuTicks * tickMs,
    residentBytes: kibibytes(status, 'VmRSS') ?? 0,
    proportionalBytes: kibibytes(rollup, 'Pss'),
  }
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
