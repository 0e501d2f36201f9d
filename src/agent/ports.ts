/** The conversation about ports: protocol.md, chapter 3.4. */

import type { Exchange } from './exchange.ts'

/** What listens in one guest. */
export class GuestPorts {
  readonly #exchange: Exchange

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }
}
