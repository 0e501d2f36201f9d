/** The processes of this host, as Linux tells of them in /proc. */

import { readdir, readFile } from 'node:fs/promises'

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
  return kinIn(pid, argv, fieldsOf(stat), status)
}

async function describe(pid: number, bootedAt: number): Promise<HostProcess | undefined> {
  const [argv, stat, status, rollup] = await Promise.all([
    commandLineOf(pid),
    ...['stat', 'status', 'smaps_rollup'].map((file) => read(pid, file)),
  ] as [Promise<string[]>, Promise<string>, Promise<string>, Promise<string>])
  const fields = fieldsOf(stat)
  const kin = kinIn(pid, argv, fields, status)
  if (kin === undefined) return undefined
  // Fields 3, 14, 15 and 22 of proc_pid_stat(5).
  const [state, user, system, started] = [fields[0], fields[11], fields[12], fields[19]]
  return {
    ...kin,
    stopped: state === 'T' || state === 't',
    startedAt: new Date(bootedAt + Number(started) * tickMs),
    cpuMs: (Number(user) + Number(system)) * tickMs,
    residentBytes: kibibytes(status, 'VmRSS') ?? 0,
    proportionalBytes: kibibytes(rollup, 'Pss'),
  }
}

/** Fields 3, 4 and 6 of proc_pid_stat(5), and the second number of Uid in proc_pid_status(5). */
function kinIn(pid: number, argv: readonly string[], fields: readonly string[], status: string): ProcessKin | undefined {
  const [state, parentPid, session] = [fields[0], fields[1], fields[3]]
  const euid = /^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1]
  if (session === undefined || euid === undefined || state === 'Z' || state === 'X') return undefined
  return { pid, argv, parentPid: Number(parentPid), session: Number(session), euid: Number(euid) }
}

/** From the third on, counted from behind the process's name, which may hold anything. */
function fieldsOf(stat: string): string[] {
  return stat === '' ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ')
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
