/** What the kernel tells of a process in one line, /proc/PID/stat: proc_pid_stat(5). */

export interface ProcessStat {
  /** One letter: `Z` for one that has ended and was not yet reaped. */
  readonly state: string
  readonly parentPid: number
  /** Inherited, and kept when its parent dies. */
  readonly session: number
  /** Processor time of all its threads, in the kernel's ticks. */
  readonly cpuTicks: number
  /** In the kernel's ticks since boot. */
  readonly startedAt: string
}

/** Fields 3, 4, 6, 14, 15 and 22, counted from behind the process's name, which may hold anything. Undefined for what is no such line. */
export function readProcessStat(text: string): ProcessStat | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, parentPid, session] = [fields[0], fields[1], fields[3]]
  const [user, system, startedAt] = [fields[11], fields[12], fields[19]]
  if (state === undefined || startedAt === undefined) return undefined
  return { state, parentPid: Number(parentPid), session: Number(session), cpuTicks: Number(user) + Number(system), startedAt }
}

/** Whether it has ended: a zombie, or a moment before being none at all. */
export function hasEnded({ state }: ProcessStat): boolean {
  return state === 'Z' || state === 'X'
}
