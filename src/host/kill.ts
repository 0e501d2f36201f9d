/** Ending a process that is not a child of this one. */

/** By SIGKILL; one that is not there needs none. @throws an Error that says why it cannot be ended. */
export function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'ESRCH') throw new Error(`the process ${pid} cannot be ended: ${message}`)
  }
}
