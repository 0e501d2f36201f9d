/** The conversation about what a tenant takes and may take: protocol.md, chapter 3.5. */

import type { CallOptions } from '../common/deadline.ts'
import type { Exchange } from './exchange.ts'
import { limitFailure, measureFailure } from './failure.ts'
import type { GuestMessage, HostMessage } from './messages.ts'

export type Measured = Omit<Extract<GuestMessage, { type: 'Measured' }>, 'type'>

/** What is not named stays as it is. */
export type Limits = Omit<Extract<HostMessage, { type: 'Limit' }>, 'type'>

/** The account of one guest. */
export class GuestLimits {
  readonly #exchange: Exchange

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  /** @throws GUEST_UNREACHABLE; PROTOCOL; UNSUPPORTED when the guest cannot tell; TIMEOUT; the signal's reason. */
  async measure(options: CallOptions = {}): Promise<Measured> {
    const answer = await this.#exchange.request('Measuring the guest', { type: 'Measure' }, options)
    if (answer.type === 'Failed') throw measureFailure(answer)
    if (answer.type !== 'Measured') throw this.#exchange.broken(`${answer.type} in answer to Measure`)
    const { type: _, ...measured } = answer
    return measured
  }

  /**
   * Sets limits for the rest of the guest's life: all of them or none.
   *
   * @throws INVALID_ARGUMENT when one is more than there was at boot, or less than is in use; UNSUPPORTED when its kernel
   * has no such limit; BOOT_FAILED when it could not be set; GUEST_UNREACHABLE; PROTOCOL; TIMEOUT; the
   * signal's reason.
   */
  async set(limits: Limits, options: CallOptions = {}): Promise<void> {
    const answer = await this.#exchange.request('Limiting the guest', { type: 'Limit', ...limits }, options)
    if (answer.type === 'Failed') throw limitFailure(answer)
    if (answer.type !== 'Done') throw this.#exchange.broken(`${answer.type} in answer to Limit`)
  }
}
