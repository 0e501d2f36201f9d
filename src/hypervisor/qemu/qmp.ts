/** The QEMU Machine Protocol: one JSON object a line, commands answered in order, events between them. */

import type { Duplex } from 'node:stream'
import { z } from 'zod'
import { type Deferred, deferred } from '../../common/deferred.ts'
import { foreignText } from '../../common/text.ts'
import { WarmcellError } from '../../errors.ts'

/** Not everything QEMU says, but what is read of it: one that a guest has taken over may say anything. */
const replySchema = z.object({
  QMP: z.unknown().optional(),
  event: z.unknown().optional(),
  data: z.unknown().optional(),
  return: z.unknown().optional(),
  error: z.object({ desc: z.string() }).optional(),
})

const migrationSchema = z.object({ status: z.string(), 'error-desc': z.string().optional() })

interface Waiter {
  resolve(value: unknown): void
  reject(error: WarmcellError): void
}

/** The longest line taken from QEMU, in characters. Its answers are far shorter; a QEMU that a guest has taken over may send anything. */
const lineCharactersMax = 1_048_576

/**
 * A client for one QEMU process (https://www.qemu.org/docs/master/interop/qmp-spec.html). QEMU answers commands in the order they were
 * sent, so replies need no ids. Commands may be sent before the greeting: they wait in the socket.
 */
export class QmpClient {
  readonly #pipe: Duplex
  readonly #waiters: Waiter[] = []
  #migration: Deferred<string> | undefined
  #partial = ''
  #end: WarmcellError | undefined

  constructor(pipe: Duplex) {
    this.#pipe = pipe
    pipe.on('error', () => {})
    const onClose = (): void => this.#fail(new WarmcellError('BOOT_FAILED', 'QEMU closed its control socket.'))
    // One that ended before anybody listened says it no more.
    if (pipe.destroyed) onClose()
    else pipe.once('close', onClose)
    pipe.on('data', (chunk: Buffer) => this.#onData(chunk))
    // One that ended as soon as it was started.
    if (pipe.destroyed) onClose()
  }

  /** Leaves the negotiation mode that every connection starts in; resolves once QEMU has answered. */
  async negotiate(): Promise<void> {
    await this.execute('qmp_capabilities')
  }

  /**
   * In QEMU's words saving and loading a microVM are migrations: guest memory stays out of them (`x-ignore-shared`), for it is a file already, and
   * their end is announced. Must come before either.
   */
  async prepareMigration(): Promise<void> {
    const capabilities = ['x-ignore-shared', 'events'].map((capability) => ({ capability, state: true }))
    await this.execute('migrate-set-capabilities', { capabilities })
  }

  /** Saves to a file, or loads from one; resolves when it is done. @throws `BOOT_FAILED` */
  async migrate(command: 'migrate' | 'migrate-incoming', hostPath: string): Promise<void> {
    const done = deferred<string>()
    this.#migration = done
    await this.execute(command, { channels: [{ 'channel-type': 'main', addr: fileAddress(hostPath) }] })
    if ((await done.promise) === 'completed') return
    const found = migrationSchema.safeParse(await this.execute('query-migrate'))
    const reason = found.data?.['error-desc'] ?? 'it gave no reason'
    throw new WarmcellError('BOOT_FAILED', `QEMU could not ${command}: ${foreignText(reason)}`)
  }

  /** @throws `BOOT_FAILED` with QEMU's own words when it refuses, or when it is gone. */
  execute(command: string, args?: Record<string, unknown>): Promise<unknown> {
    if (this.#end !== undefined) return Promise.reject(this.#end)
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject })
      this.#pipe.write(`${JSON.stringify(args === undefined ? { execute: command } : { execute: command, arguments: args })}\n`)
    })
  }

  #onData(chunk: Buffer): void {
    const [first = '', ...more] = chunk.toString('utf8').split('\n')
    this.#partial += first
    for (const next of more) {
      this.#onLine(this.#partial)
      this.#partial = next
    }
    if (this.#partial.length > lineCharactersMax)
      this.#fail(new WarmcellError('BOOT_FAILED', 'QEMU sent a line without end to its control socket.'))
  }

  #onLine(line: string): void {
    let reply: z.infer<typeof replySchema>
    try {
      reply = replySchema.parse(JSON.parse(line))
    } catch (cause) {
      this.#fail(new WarmcellError('BOOT_FAILED', 'QEMU wrote something that is not QMP to its control socket.', { cause }))
      return
    }
    if (reply.event === 'MIGRATION') this.#onMigration(reply.data)
    if (reply.QMP !== undefined || reply.event !== undefined) return
    const waiter = this.#waiters.shift()
    if (reply.error === undefined) waiter?.resolve(reply.return)
    else waiter?.reject(new WarmcellError('BOOT_FAILED', `QEMU refused a command: ${foreignText(reply.error.desc)}`))
  }

  #onMigration(data: unknown): void {
    const status = migrationSchema.safeParse(data).data?.status
    if (status === 'completed' || status === 'failed') this.#migration?.resolve(status)
  }

  #fail(error: WarmcellError): void {
    this.#end ??= error
    this.#migration?.reject(this.#end)
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#end)
    this.#pipe.destroy()
  }
}

/** A path as an address of a migration: QEMU's own form, which needs no escaping. */
function fileAddress(hostPath: string): Record<string, unknown> {
  return { transport: 'file', filename: hostPath, offset: 0 }
}
