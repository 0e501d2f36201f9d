/** Descriptors that run out. */

import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readdirSync } from 'node:fs'

/** Lets the work have so many more than are open now. Linux only. */
export async function withDescriptors<T>(more: number, work: () => Promise<T>): Promise<T> {
  const [soft, hard] = [limit('SOFT'), limit('HARD')]
  const setTo = (value: string | number): void =>
    void execFileSync('prlimit', [`--nofile=${value}:${hard}`, '--pid', String(process.pid)], { stdio: 'ignore' })
  // What it takes to lift the limit again is put by, and every hole below it is stopped.
  const reserve = Array.from({ length: 16 }, () => openSync('/dev/null', 'r'))
  const highest = Math.max(...openDescriptors())
  const stopped: number[] = []
  for (let hole = openSync('/dev/null', 'r'); ; hole = openSync('/dev/null', 'r')) {
    stopped.push(hole)
    if (hole >= highest) break
  }
  setTo(Math.max(...openDescriptors()) + 1 + more)
  try {
    return await work()
  } finally {
    for (const descriptor of [...reserve, ...stopped]) closeSync(descriptor)
    setTo(soft)
  }
}

export function openDescriptors(): number[] {
  return readdirSync('/proc/self/fd').map(Number)
}

function limit(which: 'SOFT' | 'HARD'): string {
  const words = ['--nofile', `--output=${which}`, '--noheadings', '--pid', String(process.pid)]
  return execFileSync('prlimit', words).toString().trim()
}
