/** A real registry on loopback, Debian's package docker-registry, for as long as a test needs it. */

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Certificate } from './certificate.ts'
import { Scratch } from './scratch.ts'

/** Who may log in where a password is asked for; the digest is bcrypt's, of the least cost. */
export const login = { username: 'alice', password: 'wonderland' } as const
const passwordFile = 'alice:$2y$04$abcdefghijklmnopqrstuujZkTwHUiJ9XdZPwKfcfDo7dMp5DjlTu\n'

export interface RegistryOptions {
  /** Then it speaks HTTPS. */
  readonly certificate?: Certificate
  /** The part `auth` of its configuration, as YAML; 'basic' asks for the password above. */
  readonly auth?: string
}

export class Registry implements AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  readonly #child: ChildProcess
  readonly #scratch: Scratch

  private constructor(host: string, child: ChildProcess, scratch: Scratch) {
    this.host = host
    this.#child = child
    this.#scratch = scratch
  }

  static async start({ auth, certificate }: RegistryOptions = {}): Promise<Registry> {
    const scratch = new Scratch()
    const port = await freePort()
    const host = `127.0.0.1:${port}`
    const authentication = auth === 'basic' ? `htpasswd: { realm: test, path: ${scratch.file('htpasswd', passwordFile)} }` : auth
    const tls =
      certificate === undefined ? '' : `, tls: { certificate: ${certificate.certificatePath}, key: ${certificate.keyPath} }`
    const config = [
      'version: 0.1',
      'log: { level: error, accesslog: { disabled: true } }',
      `storage: { filesystem: { rootdirectory: ${scratch.join('store')} } }`,
      `http: { addr: ${host}, secret: of-no-value${tls} }`,
      ...(authentication === undefined ? [] : [`auth: { ${authentication} }`]),
    ]
    const child = spawn('docker-registry', ['serve', scratch.file('config.yml', `${config.join('\n')}\n`)], { stdio: 'ignore' })
    const registry = new Registry(host, child, scratch)
    await registry.#answers(port)
    return registry
  }

  /** By skopeo. @param to `name:tag` */
  async push(from: string, to: string, ...options: string[]): Promise<void> {
    await skopeo('copy', '--all', '--dest-tls-verify=false', ...options, from, `docker://${this.host}/${to}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, 'exit')
      this.#child.kill('SIGKILL')
      await ended
    }
    rmSync(this.#scratch.hostPath, { recursive: true, force: true })
  }

  async #answers(port: number): Promise<void> {
    for (;;) {
      if (this.#child.exitCode !== null) throw new Error(`docker-registry ended with ${this.#child.exitCode}`)
      const socket = connect(port, '127.0.0.1')
      const isThere = await once(socket, 'connect').then(
        () => true,
        () => false,
      )
      socket.destroy()
      if (isThere) return
      await delay(20)
    }
  }
}

/** Debian's skopeo: what others think of an image. */
export async function skopeo(...parameters: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('skopeo', parameters)
  return stdout
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
