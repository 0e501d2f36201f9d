/** What the caller of a sandbox sees of its ports. */

import type { Duplex } from 'node:stream'
import type { CallOptions } from '../../common/deadline.ts'

export interface ExposeOptions {
  /** Default: one that is free. */
  hostPort?: number
  /** Where it listens: an address of this machine, or a name of one. Default 127.0.0.1: every program on this machine, and nobody outside it. */
  host?: string
}

/** A port of the guest as a port of the host. Disposing of it stops listening and ends its connections; so does the end of its sandbox. */
export interface ExposedPort extends AsyncDisposable {
  /** Of the guest. */
  readonly port: number
  readonly hostPort: number
  /** `http://127.0.0.1:…`, whatever is spoken there. */
  readonly url: string
}

/**
 * The TCP ports that the guest's programs listen on. There is no network: this is the only way to them, and it leads to 127.0.0.1 and ::1 of the guest. Of
 * all connections and waits of a sandbox 128 are under way at once; further ones wait in line.
 *
 * @example
 * ```ts
 * await using sandbox = await createSandbox()
 * await sandbox.exec('echo hello > index.html && httpd -p 8080', { check: true })
 * await sandbox.ports.waitFor(8080, { timeoutMs: 10_000 })
 * await using exposed = await sandbox.ports.expose(8080)
 * console.log(await (await fetch(exposed.url)).text())
 * ```
 */
export interface Ports {
  /**
   * Listens on the host and forwards every connection to the guest's port. Nothing need listen there yet: until then connections are reset at once.
   *
   * @throws `INVALID_ARGUMENT` also when the host's port is taken or may not be used; `HOST_UNSUPPORTED` when this host has no socket to give; `SANDBOX_GONE`.
   */
  expose(port: number, options?: ExposeOptions): Promise<ExposedPort>
  /**
   * Resolves when something in the guest listens on the port. Makes no connection to it, and is no activity: it does not keep an idle sandbox.
   *
   * @throws `TIMEOUT`, `INVALID_ARGUMENT`, `SANDBOX_GONE`, `GUEST_UNREACHABLE`, or the signal's reason.
   */
  waitFor(port: number, options?: CallOptions): Promise<void>
  /**
   * One connection, as a Node stream of bytes: each direction ends by itself, backpressure reaches the guest's program, `destroy()` resets it. It fails with a
   * `ConnectError` (`ECONNRESET`) when the guest breaks it off and with `SANDBOX_GONE` when the sandbox ends; a failure that nobody listens to is no uncaught
   * exception. HTTP agents and WebSocket clients take it for a socket. `signal` and `timeoutMs` are for the making of it only.
   *
   * @throws `CONNECT` (a `ConnectError`, with `errno`) when nothing listens; `TIMEOUT`, `INVALID_ARGUMENT`, `SANDBOX_GONE`, `GUEST_UNREACHABLE`, or the signal's reason.
   */
  connect(port: number, options?: CallOptions): Promise<Duplex>
}
