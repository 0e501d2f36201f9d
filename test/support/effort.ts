/** How much is done where more proves more: a little in every run, all of it with `WARMCELL_TEST_FULL=1`, as `npm run verify:full` has it. */

export const full: boolean = (process.env.WARMCELL_TEST_FULL ?? '') !== ''

export function effort<T>(usual: T, whole: T): T {
  return full ? whole : usual
}

/** Rejects where the promise has not settled in time. What is promised to users is shorter: a busy machine gets more before it counts as broken. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not settled within ${ms} ms`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
