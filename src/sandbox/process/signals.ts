/** The guest's signals by name: Linux's numbers, whatever system the host runs. */

export type SignalName = `SIG${string}`

/** arch/x86 and arm64 share them (include/uapi/asm-generic/signal.h). */
const numbers: ReadonlyMap<string, number> = new Map(
  (
    'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT ' +
    'CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'
  )
    .split(' ')
    .map((name, index) => [`SIG${name}`, index + 1]),
)
const names = new Map([...numbers].map(([name, number]) => [number, name as SignalName]))

/** undefined for a name that Linux does not know. */
export function signalNumber(name: string): number | undefined {
  return numbers.get(name)
}

/** Real-time signals (34 to 64) are named from SIGRTMIN, as libc does. */
export function signalName(number: number): SignalName {
  return names.get(number) ?? `SIGRTMIN+${number - 34}`
}
