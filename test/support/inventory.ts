/** What this process holds right now, and what of it a test has left behind. */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** Counts by name: `child node`, `fd socket`, `handle Timeout`, `file a/b`. */
export type Inventory = ReadonlyMap<string, number>

/** Resources that come and go with every turn of the event loop, or that belong to the runner's own channel to its parent. */
const fleeting = new Set([
  'TickObject',
  'Immediate',
  'CloseReq',
  'FSReqCallback',
  'FSReqPromise',
  'PipeWrap',
  'WriteWrap',
  'ShutdownWrap',
])

export function takeInventory(): Inventory {
  const counts = new Map<string, number>()
  const add = (name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1)
  for (const name of [...children(), ...descriptors(), ...handles()]) add(name)
  return counts
}

/** What is here now and was not before, one line each. */
export function leftSince(before: Inventory): string[] {
  return [...takeInventory()]
    .map(([name, count]) => ({ name, more: count - (before.get(name) ?? 0) }))
    .filter(({ more }) => more > 0)
    .map(({ name, more }) => `${more} × ${name}`)
}

/** How long what is on its way out may take, in milliseconds: a process to be reaped, a socket to be closed. */
const settleMs = 5_000

/** @throws naming what is still here although there was time for it to go. */
export async function assertNothingLeft(before: Inventory, withinMs: number = settleMs): Promise<void> {
  const deadline = performance.now() + withinMs
  let left = leftSince(before)
  while (left.length > 0 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 10))
    left = leftSince(before)
  }
  if (left.length > 0) throw new Error(`Left behind: ${left.join(', ')}`)
}

/** The processes that this one has started, whichever of its threads did, by what they run. */
function children(): string[] {
  return listOr('/proc/self/task')
    .flatMap((thread) => readOr(`/proc/self/task/${thread}/children`).split(' '))
    .filter((pid) => pid !== '')
    .map((pid) => `child process ${readOr(`/proc/${pid}/comm`).trim()}`)
}

/** Open descriptors by what they lead to: numbers of sockets and pipes say nothing, paths do. */
function descriptors(): string[] {
  return listOr('/proc/self/fd').flatMap((descriptor) => {
    try {
      return [`descriptor of ${readlinkSync(`/proc/self/fd/${descriptor}`).replace(/:\[\d+\]$/, '')}`]
    } catch {
      return [] // the one that the listing itself was read through
    }
  })
}

/** What keeps the event loop alive. */
function handles(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((type) => !fleeting.has(type))
    .map((type) => `handle ${type}`)
}

/** Elsewhere than on Linux there is no /proc: then handles are all that is looked at. */
function listOr(hostPath: string): string[] {
  try {
    return readdirSync(hostPath)
  } catch {
    return []
  }
}

function readOr(hostPath: string): string {
  try {
    return readFileSync(hostPath, 'utf8')
  } catch {
    return ''
  }
}
