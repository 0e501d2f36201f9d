/** The ports of one sandbox. Neither a connection nor a wait is activity, only bytes are. */

import type { Duplex } from 'node:stream'
import type { CallOptions } from '../../common/deadline.ts'
import { assertValid, callOptions, port as portSchema } from '../../common/validate.ts'
import type { SandboxContext } from '../context.ts'
import { PortConnection } from './connection.ts'
import type { ExposedPort, ExposeOptions, Ports } from './contract.ts'
import { assertExposeOptions, HostPort } from './host-port.ts'

export class SandboxPorts implements Ports {
  readonly #context: SandboxContext
  readonly #exposed = new Set<HostPort>()

  constructor(context: SandboxContext) {
    this.#context = context
    void context.ended.then(() => {
      for (const hostPort of this.#exposed) void hostPort.close()
    })
  }

  async expose(port: number, options: ExposeOptions = {}): Promise<ExposedPort> {
    assertValid(portSchema, port, 'ports.expose')
    assertExposeOptions(options)
    this.#context.assertRunning()
    const exposed = new HostPort(port, (signal) => this.#open(port, { signal }))
    this.#exposed.add(exposed)
    exposed.onClose = () => void this.#exposed.delete(exposed)
    try {
      await exposed.listen(options)
      this.#context.assertRunning()
      return exposed
    } catch (error) {
      await exposed.close()
      throw error
    }
  }

  async waitFor(port: number, options: CallOptions = {}): Promise<void> {
    assertValid(portSchema, port, 'ports.waitFor')
    assertValid(callOptions, options, 'ports.waitFor')
    await this.#context.ask(() => this.#context.connection.ports.await(port, options))
  }

  async connect(port: number, options: CallOptions = {}): Promise<Duplex> {
    assertValid(portSchema, port, 'ports.connect')
    assertValid(callOptions, options, 'ports.connect')
    return this.#open(port, options)
  }

  /** As `connect`, by the connection that was made before there was a tenant, where it is still good. */
  async connectReady(port: number, options: CallOptions): Promise<Duplex> {
    const ready = this.#context.connection.ports.takeAhead(port)
    return ready === undefined ? this.#open(port, options) : new PortConnection(port, ready, this.#context)
  }

  async #open(port: number, options: CallOptions): Promise<Duplex> {
    const stream = await this.#context.ask(() => this.#context.connection.ports.connect(port, options))
    return new PortConnection(port, stream, this.#context)
  }
}
