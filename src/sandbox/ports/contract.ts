/** What the caller of a sandbox sees of its ports. */

import type { Duplex } from 'node:stream'
import type { CallOptions } from '../../common/deadline.ts'

export interface ExposeOptions {
  /** Default: one that is free. */
  hostPort?: number
  /** Where it listens. Default 127.0.0.1: nobody outside this machine. */
  host?: string
}

/** A port of the guest as a port of the host. Disposing of it stops listening and ends its connections. */
export interface ExposedPort extends AsyncDisposable {
  readonly port: number
  readonly hostPort: number
  /** `http://127.0.0.1:…`, whatever is spoken there. */
  readonly url: string
}

/** The TCP ports that the guest's programs listen on. There is no network: this is the only way to them. */
export interface Ports {
  /** Listens on the host and forwards every connection to the guest's port, which need not be listened on yet: then connections are reset at once. */
  expose(port: number, options?: ExposeOptions): Promise<ExposedPort>
  /** Resolves when something in the guest listens on the port. Makes no connection to it. */
  waitFor(port: number, options?: CallOptions): Promise<void>
  /** One connection. @throws `UNSUPPORTED`… */
  connect(port: number, options?: CallOptions): Promise<Duplex>
}
