/** Descriptors that this process would hand on to a child without meaning to: those it was started with, which nobody marked as its own. */

import { readdir, readFile } from 'node:fs/promises'

/** The flag in fdinfo, which says it in octal: proc_pid_fdinfo(5), O_CLOEXEC of fcntl.h. */
const closeOnExec = 0o2_000_000

let known: Promise<readonly number[]> | undefined

/** Looked for once: what Node itself opens is closed in a child, so what is found is what a shell or a service manager has left open. */
export function strayDescriptors(): Promise<readonly number[]> {
  known ??= find().catch(() => [])
  return known
}

async function find(): Promise<number[]> {
  const descriptors = (await readdir('/proc/self/fdinfo')).map(Number).filter((descriptor) => descriptor > 2)
  const found: number[] = []
  for (const descriptor of descriptors) {
    // One that was closed meanwhile, such as that of the listing.
    const text = await readFile(`/proc/self/fdinfo/${descriptor}`, 'latin1').catch(() => '')
    const flags = /^flags:\s*(\d+)/m.exec(text)?.[1]
    if (flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0) found.push(descriptor)
  }
  return found
}
