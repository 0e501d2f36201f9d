/** What a process prints: recorded within its bound, and handed on to whoever reads it. */

import type { Readable } from 'node:stream'
import { type Deferred, deferred } from '../../common/deferred.ts'
import { RetainedBytes, wholeCharactersEnd } from '../../common/retained.ts'

export type OutputStream = 'stdout' | 'stderr'

export const outputStreams: readonly OutputStream[] = ['stdout', 'stderr']

/** Who takes what a process prints once its readers have let go of it. */
export interface OutputSink {
  push(data: Uint8Array): void
  /** Resolves when more may come; undefined when it may at once. */
  room(): Promise<void> | undefined
  end(failure?: { error: unknown }): void
}

/** How much of each of stdout, stderr and their interleaving is kept for the result, in bytes, when the caller says nothing. */
export const bufferBytesDefault: number = 10 * 1_024 * 1_024

/** The retained part of both streams, and of the two as they arrived. */
export class OutputRecord {
  readonly #streams: Readonly<Record<OutputStream, RetainedBytes>>
  readonly #both: RetainedBytes
  /** The beginning of a character whose rest has not come, per stream: without it, interleaving would cut characters. */
  readonly #pending: Record<OutputStream, Uint8Array> = { stdout: new Uint8Array(0), stderr: new Uint8Array(0) }

  constructor(bytesMax: number, retain: 'head' | 'tail' | 'none') {
    const retained = (): RetainedBytes => new RetainedBytes(retain === 'none' ? 0 : bytesMax, retain === 'head' ? 'head' : 'tail')
    this.#streams = { stdout: retained(), stderr: retained() }
    this.#both = retained()
  }

  push(stream: OutputStream, data: Uint8Array): void {
    this.#streams[stream].push(data)
    const pending = this.#pending[stream]
    const whole = pending.length === 0 ? data : Buffer.concat([pending, data])
    const end = wholeCharactersEnd(whole)
    this.#both.push(whole.subarray(0, end))
    this.#pending[stream] = Uint8Array.from(whole.subarray(end))
  }

  /** The texts of the result. Called once, when both streams have ended. */
  finish(): { stdout: string; stderr: string; output: string; truncated: boolean; droppedBytes: number } {
    const { stdout, stderr } = this.#streams
    for (const pending of Object.values(this.#pending)) this.#both.push(pending)
    const droppedBytes = stdout.droppedBytes + stderr.droppedBytes
    return { stdout: stdout.text(), stderr: stderr.text(), output: this.#both.text(), truncated: droppedBytes > 0, droppedBytes }
  }
}

/** One of a process's output streams: recorded as it is read, and read either by the caller or, where nobody does, by `drain`. */
export class ProcessOutput {
  readonly #source: Readable
  readonly #record: (data: Uint8Array) => void
  readonly #explain: (error: unknown) => Promise<unknown>
  #reader: AsyncIterator<Uint8Array> | undefined
  #web: { stream: ReadableStream<Uint8Array>; controller: ReadableStreamDefaultController<Uint8Array> } | undefined
  #draining = false
  #sink: OutputSink | undefined
  /** Read for somebody who looked whether there is more, and not taken yet. */
  #ahead: Promise<Uint8Array | undefined> | undefined
  #loops = 0
  /** Resolves when nobody loops over it any more, or it has been let go of. */
  #unlooped: Deferred<void> = deferred()

  /** `explain` turns a failure of the connection into the error the caller should see. */
  constructor(source: Readable, record: (data: Uint8Array) => void, explain: (error: unknown) => Promise<unknown>) {
    this.#source = source
    this.#record = record
    this.#explain = explain
    // A failure reaches whoever reads, and the process's own end; unheard it must not end the host.
    source.on('error', () => {})
  }

  /** As a web stream, made when first asked for. One chunk is taken from the guest per chunk read: backpressure reaches the guest's pipe. */
  get stream(): ReadableStream<Uint8Array> {
    if (this.#web === undefined) {
      let controller!: ReadableStreamDefaultController<Uint8Array>
      const stream = new ReadableStream<Uint8Array>(
        {
          start: (given) => {
            controller = given
          },
          pull: async () => {
            const data = await this.next()
            if (data !== undefined) controller.enqueue(data)
            else closeQuietly(controller)
          },
          cancel: () => void this.#readOn(),
        },
        { highWaterMark: 0 },
      )
      this.#web = { stream, controller }
    }
    return this.#web.stream
  }

  /**
   * The next chunk, recorded; undefined at the end, and when the output has been let go of or is taken for the result. Calls made at once
   * are answered in order.
   */
  next(): Promise<Uint8Array | undefined> {
    const ahead = this.#ahead
    this.#ahead = undefined
    return ahead ?? this.#next()
  }

  /** Somebody begins to loop over it: until they leave, what comes is theirs. @returns what leaves */
  enterLoop(): () => void {
    this.#loops++
    return () => {
      this.#loops--
      if (this.#loops === 0) this.#announceUnlooped()
    }
  }

  /** Resolves when `next` has an answer. Who goes away instead of asking for it leaves it to whoever comes next. */
  async ready(): Promise<void> {
    this.#ahead ??= this.#next()
    await this.#ahead.catch(() => {})
  }

  async #next(): Promise<Uint8Array | undefined> {
    if (this.#draining || this.#sink !== undefined) return undefined
    const sink = (): OutputSink | undefined => this.#sink
    try {
      const data = await this.#read()
      // Let go of meanwhile: what was on its way belongs to whoever reads next.
      const taker = sink()
      if (taker === undefined) return data
      if (data !== undefined) taker.push(data)
      return undefined
    } catch (error) {
      sink()?.end({ error })
      throw error
    }
  }

  /** Reads to the end whatever nobody else reads; resolves, also on failure, when there is no more or it has been let go of. */
  async drain(): Promise<void> {
    if (this.#sink !== undefined) return
    if (this.#reader === undefined && this.#web === undefined) {
      this.#draining = true
      this.#source.on('data', this.#record)
      await this.#sourceEnd()
      return
    }
    // Somebody holds the web stream: they may start to read at any moment, and from then on it is theirs.
    const taken = (): boolean => this.#web?.stream.locked === true
    while (!taken()) {
      if (this.#loops > 0 && this.#sink === undefined) {
        await this.#unlooped.promise
        continue
      }
      await this.ready()
      if (taken() || (this.#loops > 0 && this.#sink === undefined)) continue
      const data = await this.next().catch(() => undefined)
      if (data === undefined) return
    }
    await this.#sourceEnd()
  }

  /** From now on everything goes to the sink, recorded, at the pace that it sets. Who reads here has come to the end. */
  letGo(sink: OutputSink): void {
    this.#sink = sink
    if (this.#web !== undefined) closeQuietly(this.#web.controller)
    this.#announceUnlooped()
    if (this.#draining) this.#divert(sink)
    else void this.#pump(sink)
  }

  async #pump(sink: OutputSink): Promise<void> {
    const ahead = this.#ahead
    this.#ahead = undefined
    try {
      // What was read before, and not taken, comes first; what is still on its way goes to the sink by itself.
      const data = await ahead
      if (data !== undefined) sink.push(data)
      for (let data = await this.#read(); data !== undefined; data = await this.#read()) {
        sink.push(data)
        await sink.room()
      }
      sink.end()
    } catch (error) {
      sink.end({ error })
    }
  }

  /** It flows already, into the record. */
  #divert(sink: OutputSink): void {
    this.#source.on('data', (data: Uint8Array) => {
      sink.push(data)
      const room = sink.room()
      if (room === undefined) return
      this.#source.pause()
      void room.then(() => this.#source.resume())
    })
    void this.#sourceEnd().then(async () => {
      const { errored } = this.#source
      sink.end(errored === null ? undefined : { error: await this.#explain(errored) })
    })
  }

  async #read(): Promise<Uint8Array | undefined> {
    this.#reader ??= this.#source[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
    const { done, value } = await this.#reader.next().catch(async (error: unknown) => {
      // Dropped here (disposed of): for a reader that is the end, not a failure.
      if (this.#source.destroyed && this.#source.errored === null) return { done: true as const, value: undefined }
      throw await this.#explain(error)
    })
    if (done === true) return undefined
    this.#record(value)
    return value
  }

  /** The reader has had enough; the process has not: what still comes is recorded, so that nothing holds it back. */
  async #readOn(): Promise<void> {
    for (let data: Uint8Array | undefined = new Uint8Array(0); data !== undefined; )
      data = await this.next().catch(() => undefined)
  }

  #announceUnlooped(): void {
    this.#unlooped.resolve()
    this.#unlooped = deferred()
  }

  async #sourceEnd(): Promise<void> {
    if (this.#source.destroyed || this.#source.readableEnded) return
    await new Promise<void>((resolve) => {
      for (const event of ['end', 'close', 'error']) this.#source.once(event, () => resolve())
    })
  }
}

/** It may be closed already, by its reader or with the process. */
function closeQuietly(controller: ReadableStreamDefaultController<Uint8Array>): void {
  try {
    controller.close()
  } catch {
    // As it should be.
  }
}
