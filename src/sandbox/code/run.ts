/** One run on its connection: the request sent, the answer taken at its pace, an interrupt where time or patience is up. */

import type { Duplex } from 'node:stream'
import { onAbort } from '../../common/on-abort.ts'
import { startTimer } from '../../common/timer.ts'
import { ConnectError } from '../../errors.ts'
import { AnswerDecoder, type RunEnd } from '../../interpreter/index.ts'
import { textCallbacks } from '../process/exec.ts'
import { bufferBytesDefault, OutputRecord } from '../process/output.ts'
import type { CodeError, CodeResult, CodeValue, RunCodeOptions } from './contract.ts'

/**
 * How long an interrupted run may take to its end, in milliseconds. The driver gives the code two seconds and then ends its context; the rest is for a guest that is
 * slow. One that takes longer is not waited for.
 */
const interruptMsMax = 10_000

export class CodeRun {
  readonly #port: number
  readonly #stream: Duplex
  readonly #options: RunCodeOptions
  readonly #startedAt: number
  readonly #record: OutputRecord
  readonly #results: CodeValue[] = []
  #text: string | undefined
  #end: RunEnd | undefined
  #timedOut = false
  /** The run was interrupted, and the driver has not answered to that. */
  #silent = false
  #cancelWait = (): void => {}

  constructor(port: number, stream: Duplex, options: RunCodeOptions, startedAt: number) {
    const { maxBufferBytes = bufferBytesDefault, retain = 'tail' } = options
    this.#port = port
    this.#stream = stream
    this.#options = options
    this.#startedAt = startedAt
    this.#record = new OutputRecord(maxBufferBytes, retain)
  }

  /** @throws the signal's reason; PROTOCOL; CONNECT when the answer has no end; what the connection fails with; what a callback throws. The connection is gone then, as it is in any case. */
  async toEnd(request: Buffer, timeoutMs: number | undefined): Promise<CodeResult> {
    const { signal } = this.#options
    const unlink = signal && onAbort(signal, () => this.#interrupt())
    const cancelTimer =
      timeoutMs === undefined
        ? undefined
        : startTimer(timeoutMs, () => {
            this.#timedOut = true
            this.#interrupt()
          })
    try {
      this.#stream.write(request)
      if (signal?.aborted) this.#interrupt()
      await this.#answer()
      signal?.throwIfAborted()
      return this.#result()
    } finally {
      unlink?.()
      cancelTimer?.()
      this.#cancelWait()
      this.#stream.destroy()
    }
  }

  async #answer(): Promise<void> {
    const text = textCallbacks(this.#options)
    const decoder = new AnswerDecoder({
      output: (stream, data) => {
        this.#record.push(stream, data)
        text?.onOutput(stream, data)
      },
      result: ({ isValue, mime, data }) => {
        this.#results.push({ mime, data })
        if (isValue && mime === 'text/plain') this.#text = data
      },
      end: (end) => {
        this.#end = end
      },
    })
    try {
      for await (const chunk of this.#stream) {
        decoder.push(chunk as Buffer)
        if (decoder.ended) break
      }
      if (!decoder.ended && !this.#silent) throw new ConnectError(this.#port, 'ECONNRESET', 'It ended its answer without an end.')
    } catch (error) {
      if (!this.#silent) throw error
    }
    text?.flush()
  }

  /** The end of what is sent is what interrupts; the answer goes on to its own end. */
  #interrupt(): void {
    if (this.#stream.writableEnded || this.#stream.destroyed) return
    this.#stream.end()
    this.#cancelWait = startTimer(interruptMsMax, () => {
      this.#silent = true
      this.#stream.destroy()
    })
  }

  #result(): CodeResult {
    const { stdout, stderr, truncated, droppedBytes } = this.#record.finish()
    const error = this.#error()
    return {
      ...(this.#text !== undefined && { text: this.#text }),
      results: this.#results,
      stdout,
      stderr,
      ...(error && { error }),
      timedOut: this.#timedOut,
      truncated: truncated || (this.#end?.dropped ?? 0) > 0,
      droppedBytes,
      durationMs: performance.now() - this.#startedAt,
    }
  }

  /** Of code that ran out of time, where it was then; unless its context was lost over it, which is the worse news. */
  #error(): CodeError | undefined {
    const error = this.#end?.error
    if (!this.#timedOut || error?.name === 'ContextLost') return error
    const message = `It ran for longer than ${this.#options.timeoutMs} ms${this.#silent ? ', and its interpreter did not answer to the interrupt' : ''}.`
    return { name: 'TimeoutError', message, traceback: error?.traceback ?? '' }
  }
}
