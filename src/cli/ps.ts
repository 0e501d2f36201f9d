/** `warmcell ps`: the microVMs of this user on this host, for a person or as JSON. */

import { listMicrovms, type MicrovmInfo } from '../index.ts'
import { tableLines } from './table.ts'

/** As much of a digest as names it, and as much of an owner's command line as fits a line. */
const [digestDigits, commandChars] = [12, 48]

export async function psCommand(options: { json?: boolean }): Promise<void> {
  const microvms = await listMicrovms()
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify(microvms, null, 2)}\n`)
    return
  }
  const headings = ['ID', 'STATE', 'ISOLATION', 'TEMPLATE', 'AGE', 'CPU', 'MEMORY', 'PID', 'OWNER']
  for (const line of tableLines(headings, microvms.map(row))) process.stdout.write(`${line}\n`)
}

function row({ id, state, isolation, template, startedAt, cpuMs, memoryBytes, memoryMib, pid, owner }: MicrovmInfo): string[] {
  const digest = template?.digest.slice(0, digestDigits)
  return [
    id,
    state,
    isolation,
    digest === undefined ? '-' : [template?.name, digest].filter((part) => part !== '').join(' '),
    duration(Date.now() - startedAt.getTime()),
    `${(cpuMs / 1_000).toFixed(1)}s`,
    `${Math.round(memoryBytes / 1_048_576)}/${memoryMib} MiB`,
    String(pid),
    `${owner.pid === 0 ? '-' : owner.pid} ${shown(owner.command.join(' '))}`.trimEnd(),
  ]
}

/** In the two largest units that it has. */
function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  const units: [string, number][] = [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
    ['s', 1],
  ]
  const parts = units.map(([unit, size], at) => {
    const above = units[at - 1]?.[1]
    return { text: `${Math.floor((above === undefined ? seconds : seconds % above) / size)}${unit}`, size }
  })
  const first = parts.findIndex(({ size }) => seconds >= size)
  return first === -1
    ? '0s'
    : parts
        .slice(first, first + 2)
        .map(({ text }) => text)
        .join('')
}

/** Another program's words on one line of a terminal. */
function shown(text: string): string {
  const plain = text.replace(/\p{Cc}+/gu, ' ')
  return plain.length > commandChars ? `${plain.slice(0, commandChars)}…` : plain
}
