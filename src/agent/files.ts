/** The conversation about files: protocol.md, chapter 3.3. */

import { type CallOptions, withDeadline } from '../common/deadline.ts'
import type { Exchange } from './exchange.ts'
import { fileFailure } from './failure.ts'
import { encodeMessage } from './messages.ts'

/** How a file is written. */
export interface WriteOptions extends CallOptions {
  /** Permission bits. Default: those of the file that is there, or 0644. */
  mode?: number
  /** Who owns it, and from whose home a relative path goes. */
  user: string
}

/** The files of one guest. The guest resolves every path, inside the tenant's root. */
export class GuestFiles {
  readonly #exchange: Exchange

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  /**
   * Writes a whole file, with its missing parents; it appears at once or not at all. `data` must not change until the call settles.
   *
   * @throws FILE (a FileError) with the guest's errno; INVALID_ARGUMENT; GUEST_UNREACHABLE; PROTOCOL; TIMEOUT.
   */
  async write(path: string, data: Uint8Array, options: WriteOptions): Promise<void> {
    const { mode, user } = options
    const message = encodeMessage({ type: 'WriteFile', path, user, append: 0, ...(mode !== undefined && { mode }) })
    const answer = await withDeadline(`The writing of '${path}' in the guest`, options, async (signal) => {
      const stream = await this.#exchange.stream('files', signal)
      return this.#exchange.ask(stream, () => {
        stream.write(message)
        stream.end(Buffer.from(data.buffer, data.byteOffset, data.byteLength))
      })
    })
    if (answer.type === 'Failed') throw fileFailure(path, answer)
    if (answer.type !== 'Written') throw this.#exchange.broken(`${answer.type} in answer to WriteFile`)
    if (answer.sizeBytes !== data.length) throw this.#exchange.broken(`${answer.sizeBytes} bytes written of ${data.length} sent`)
  }
}
