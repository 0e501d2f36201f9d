/** Measuring what is promised, so that a busy machine does not break the promise. */

/** Processor time of this process that some work takes, in milliseconds: what others take of the machine is not in it. */
export async function cpuMs(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

/** The best of at most five attempts, as `work` measures itself: what the code waits for is in each of them, what the machine did meanwhile is not. */
export async function quickest(promisedMs: number, work: () => Promise<number>): Promise<number> {
  let bestMs = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < 5 && bestMs > promisedMs; attempt++) bestMs = Math.min(bestMs, await work())
  return bestMs
}

/** How many turns of the event loop some work takes: a measure of waiting that does not depend on how fast the machine is. */
export async function turnsOf(work: () => Promise<unknown>): Promise<number> {
  let turns = 0
  let going = true
  const turn = (): void => {
    turns++
    if (going) setImmediate(turn)
  }
  setImmediate(turn)
  await work()
  going = false
  return turns
}
