/** Running code in the interpreters of one sandbox: which one, over which connection, and what its failures mean. */

import { callOptionsOf } from '../../common/deadline.ts'
import { assertValid } from '../../common/validate.ts'
import { attributed, ConnectError, WarmcellError } from '../../errors.ts'
import { encodeRequest } from '../../interpreter/index.ts'
import type { SandboxContext } from '../context.ts'
import type { SandboxPorts } from '../ports/ports.ts'
import type { CodeResult, RunCodeOptions } from './contract.ts'
import { contextDefault, runCodeSchema, sourceSchema } from './options.ts'
import { CodeRun } from './run.ts'

/** What the pool has bound that concerns code. */
interface CodeBinding {
  readonly template: string
  readonly interpreters: Readonly<Record<string, { readonly port: number }>>
}

export class SandboxCode {
  readonly #context: SandboxContext
  readonly #ports: SandboxPorts
  readonly #template: string
  readonly #interpreters: ReadonlyMap<string, number>

  constructor(context: SandboxContext, ports: SandboxPorts, { template, interpreters }: CodeBinding) {
    this.#context = context
    this.#ports = ports
    this.#template = template
    this.#interpreters = new Map(Object.entries(interpreters).map(([language, { port }]) => [language, port]))
  }

  async run(source: string, options: RunCodeOptions): Promise<CodeResult> {
    assertValid(sourceSchema, source, 'runCode')
    assertValid(runCodeSchema, options, 'runCode')
    const startedAt = performance.now()
    const { language, port } = this.#interpreter(options.language)
    const { env: baseEnv, cwd, id, enter, assertRunning } = this.#context
    const { context = contextDefault, env = {}, timeoutMs, signal } = options
    assertRunning()
    signal?.throwIfAborted()
    const request = encodeRequest({ context, source, cwd, baseEnv, env })
    const leave = enter()
    try {
      const stream = await this.#ports.connectReady(port, callOptionsOf({ signal, timeoutMs }))
      const leftMs = timeoutMs === undefined ? undefined : Math.max(0, timeoutMs - (performance.now() - startedAt))
      return await new CodeRun(port, stream, options, startedAt).toEnd(request, leftMs)
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof ConnectError) throw attributed(ended(language, error), id)
      throw attributed(error, id)
    } finally {
      leave()
    }
  }

  /** @throws `UNSUPPORTED` when the template has none, `INVALID_ARGUMENT` when it has others. */
  #interpreter(wanted: string | undefined): { language: string; port: number } {
    const languages = [...this.#interpreters.keys()]
    const language = wanted ?? languages[0]
    if (language === undefined || languages.length === 0) {
      const message = `runCode: the template '${this.#template}' has no interpreter that is running in its snapshot.`
      const hint = 'Create the pool with a template such as `runtimes.python`, and the sandbox from it.'
      throw new WarmcellError('UNSUPPORTED', message, { hint, sandboxId: this.#context.id })
    }
    const port = this.#interpreters.get(language)
    if (port !== undefined) return { language, port }
    const message = `runCode: the template '${this.#template}' has no interpreter for '${language.slice(0, 64)}'.`
    const hint = `It has ${languages.join(', ')}.`
    throw new WarmcellError('INVALID_ARGUMENT', message, { hint, sandboxId: this.#context.id })
  }
}

/** Where nothing listens any more, or broke off: what was running in the snapshot has ended. */
function ended(language: string, cause: ConnectError): ConnectError {
  const message = `The interpreter for '${language}' has ended in the sandbox (${cause.errno}): its code has ended it, or there was no memory left.`
  const hint = 'Create a new sandbox; if it was memory, raise memoryMib.'
  return new ConnectError(cause.port, cause.errno, message, { hint, cause, retryable: false })
}
