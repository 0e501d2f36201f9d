// What /proc says of memory and processes.
import { readdirSync, readFileSync } from 'node:fs'

const kibPerMib = 1_024

export function availableMib() {
  return Number(/^MemAvailable:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))[1]) / kibPerMib
}

/** Every process below this one that runs QEMU, which may call itself anything: its command line is what tells. */
export function qemuPids() {
  const childrenOf = new Map()
  for (const pid of readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)) {
    const stat = readOr(`/proc/${pid}/stat`)
    if (!stat) continue
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
    childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), pid])
  }
  const below = (pid) => (childrenOf.get(pid) ?? []).flatMap((child) => [child, ...below(child)])
  return below(process.pid).filter((pid) => /qemu-system-/.test(readOr(`/proc/${pid}/cmdline`)))
}

export function isRunning(pid) {
  const stat = readOr(`/proc/${pid}/stat`)
  return stat !== '' && stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z'
}

/** Proportional (its share of what it shares counts) and unique set size of a process. */
export function memoryOf(pid) {
  const text = readOr(`/proc/${pid}/smaps_rollup`)
  const mib = (...names) =>
    names.reduce((sum, name) => sum + Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0), 0) / kibPerMib
  return { pssMib: mib('Pss'), ussMib: mib('Private_Clean', 'Private_Dirty') }
}

function readOr(hostPath) {
  try {
    return readFileSync(hostPath, 'utf8')
  } catch {
    return ''
  }
}
