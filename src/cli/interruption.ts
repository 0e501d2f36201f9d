/** What a person or a supervisor sends to end this process, as the end of what it does. */

/** They had enough before it was done. */
class Interruption extends Error {
  readonly exitCode: number

  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`)
    this.exitCode = { SIGHUP: 129, SIGINT: 130, SIGQUIT: 131 }[signal as string] ?? 143
  }
}

const ends = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

/** Does work that ends, and clears up after itself, when this process is told to by one of `signals`: until it releases them. */
export async function interruptible(
  work: (interrupted: AbortSignal, release: () => void) => Promise<void>,
  signals: readonly NodeJS.Signals[] = ends,
): Promise<void> {
  const interrupted = new AbortController()
  const onSignal = (signal: NodeJS.Signals): void => interrupted.abort(new Interruption(signal))
  const release = (): void => {
    for (const signal of signals) process.removeListener(signal, onSignal)
  }
  for (const signal of signals) process.once(signal, onSignal)
  try {
    await work(interrupted.signal, release)
  } catch (error) {
    if (!(error instanceof Interruption)) throw error
    process.exitCode = error.exitCode
  } finally {
    release()
  }
}
