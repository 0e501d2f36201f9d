/** Treading the way that a tenant's first code will take, in an interpreter that its template left running. */

import type { AgentConnection } from '../agent/index.ts'
import { type CallOptions, withDeadline } from '../common/deadline.ts'
import { WarmcellError } from '../errors.ts'
import { AnswerDecoder } from './answer.ts'
import { encodeProbe } from './request.ts'

/**
 * Has the interpreter at a port of the guest run something that leaves no trace. One that does not listen, or does not answer as it should, is no failure here: that
 * is told to whoever runs code.
 *
 * @throws `GUEST_UNREACHABLE`, `PROTOCOL` of the guest itself, `TIMEOUT`, or the signal's reason.
 */
export async function probeInterpreter(connection: AgentConnection, port: number, options: CallOptions): Promise<void> {
  await withDeadline(`The probe of the interpreter at port ${port}`, options, async (signal) => {
    const stream = await ifListening(connection.ports.connect(port, { signal }))
    if (stream === undefined) return
    const decoder = new AnswerDecoder({ output: () => {}, result: () => {}, end: () => {} })
    try {
      stream.write(encodeProbe())
      for await (const chunk of stream) {
        decoder.push(chunk as Buffer)
        if (decoder.ended) return
      }
    } catch {
      signal.throwIfAborted()
    } finally {
      stream.destroy()
    }
  })
}

/**
 * Makes the connection that the tenant's first run takes. Where nothing listens there is none, which is told to whoever runs code.
 *
 * @throws as {@link probeInterpreter}.
 */
export async function connectInterpreter(connection: AgentConnection, port: number, options: CallOptions): Promise<void> {
  await ifListening(connection.ports.connectAhead(port, options))
}

/** Undefined where nothing listens. */
async function ifListening<T>(connecting: Promise<T>): Promise<T | undefined> {
  try {
    return await connecting
  } catch (error) {
    if (WarmcellError.is(error) && error.code === 'CONNECT') return undefined
    throw error
  }
}
