/** When the snapshot may be taken: the condition of a template, looked at again and again. */

import { setTimeout as delay } from 'node:timers/promises'
import type { ProcessSpec } from '../../agent/index.ts'
import { withDeadline } from '../../common/deadline.ts'
import { definedOnly } from '../../common/defined.ts'
import { WarmcellError } from '../../errors.ts'
import type { Template } from '../template.ts'
import type { BuildGuest, Ended } from './guest.ts'

/** From `start` to the condition, in milliseconds: a large server started emulated takes a minute. */
const readyDeadlineMs = 120_000

/** Between two looks, in milliseconds: soon at first, and then at a pace that does not slow down what is waited for. */
const pollMs = { first: 50, last: 500 } as const

/** As much of the guest's tables of sockets as is read, in bytes: 150 a socket. */
const tableBytesMax = 65_536

type Ready = NonNullable<Template['ready']>

export interface ReadyOptions {
  readonly signal: AbortSignal
  /** Asked each time: rejects when there is no use in waiting any longer. */
  readonly assertRunning: () => Promise<void>
  /** In place of `readyDeadlineMs`. */
  readonly deadlineMs?: number | undefined
}

/** @throws `BOOT_FAILED` when it does not hold in time; what `assertRunning` throws; the signal's reason. */
export async function untilReady(guest: BuildGuest, template: Template, ready: Ready, options: ReadyOptions): Promise<void> {
  const { signal, assertRunning, deadlineMs = readyDeadlineMs } = options
  const what = describeReady(ready)
  let last: Ended | undefined
  const wait = async (inner: AbortSignal): Promise<void> => {
    for (let waitMs: number = pollMs.first; ; waitMs = Math.min(waitMs * 1.5, pollMs.last)) {
      await assertRunning()
      last = await guest.run(probeOf(template, ready), `the look whether ${what}`, { logged: false, tailBytes: tableBytesMax })
      if (holds(ready, last)) return
      await delay(waitMs, undefined, { signal: inner })
    }
  }
  try {
    await withDeadline(what, { signal, timeoutMs: deadlineMs }, wait)
  } catch (cause) {
    signal.throwIfAborted()
    await assertRunning()
    if (!WarmcellError.is(cause) || (cause.code !== 'TIMEOUT' && cause.code !== 'SPAWN_FAILED')) throw cause
    const why = cause.code === 'TIMEOUT' ? `not within ${deadlineMs} ms` : cause.message.replace(/\.$/, '')
    const said =
      'exec' in ready && last !== undefined && last.tail !== '' ? `\nThe command said:\n${last.tail.slice(-4_096)}` : ''
    const error = new WarmcellError('BOOT_FAILED', `template '${template.name}': it did not become ready (${what}): ${why}.`, {
      retryable: cause.code === 'TIMEOUT',
      cause,
    })
    error.message += said
    throw error
  }
}

export function describeReady(ready: Ready): string {
  if ('port' in ready) return `port ${ready.port} is listened on`
  if ('file' in ready) return `${ready.file} exists`
  return `\`${ready.exec.join(' ')}\` exits with 0`
}

/** The program that looks. The first needs `cat` in the root, the second a shell. */
function probeOf({ env, user, cwd }: Template, ready: Ready): ProcessSpec {
  const asRoot = { environment: {}, cwd: '/', user: 'root', stdin: 'closed' } as const
  if ('port' in ready) return { ...asRoot, arguments: ['cat', '/proc/net/tcp', '/proc/net/tcp6'] }
  if ('file' in ready) return { ...asRoot, arguments: ['/bin/sh', '-c', '[ -e "$1" ]', 'sh', ready.file] }
  return { arguments: ready.exec, environment: definedOnly(env), cwd, user, stdin: 'closed' }
}

function holds(ready: Ready, { exit, tail }: Ended): boolean {
  return 'port' in ready ? isListenedOn(ready.port, tail) : exit.exitCode === 0
}

/** Reads the kernel's tables of sockets (Documentation/networking/proc_net_tcp.rst): the address is in hex, and 0A is LISTEN. */
function isListenedOn(port: number, tables: string): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  return new RegExp(`^\\s*\\d+: [0-9A-F]+:${hex} [0-9A-F]+:[0-9A-F]{4} 0A `, 'm').test(tables)
}
