/** What an interpreter answers: bytes to frames, and frames to what they mean (protocol/runtime.md). Its guest is hostile: bounded, strict, linear in its input whatever the chunks. */

import { z } from 'zod'
import { RetainedBytes } from '../common/retained.ts'
import { foreignText } from '../common/text.ts'
import { WarmcellError } from '../errors.ts'
import { payloadBytesMax, resultBytesMax, resultsMax } from './limits.ts'

/** One form of one value. */
interface Representation {
  /** Whether it is the value of the last expression, or was shown on the way. */
  readonly isValue: boolean
  readonly mime: string
  readonly data: string
}

/** How a run ended. */
export interface RunEnd {
  readonly error?: { readonly name: string; readonly message: string; readonly traceback: string } | undefined
  /** How many representations were left out, for they were too many or too large. */
  readonly dropped?: number | undefined
}

/** Where the parts of an answer go, in their order. */
export interface AnswerSink {
  /** A view on the chunk it came in: whoever keeps it, copies it. */
  output(stream: 'stdout' | 'stderr', data: Buffer): void
  result(representation: Representation): void
  /** Nothing comes after it. */
  end(end: RunEnd): void
}

const headerBytes = 5
const resultHeadBytes = 5

const FrameKind = { stdout: 1, stderr: 2, result: 3, data: 4, end: 5 } as const
type Kind = (typeof FrameKind)[keyof typeof FrameKind]

/** As RFC 6838 has them, in lower case. */
const mimePattern = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/

const endSchema = z.object({
  error: z.object({ name: z.string(), message: z.string(), traceback: z.string() }).optional(),
  dropped: z.number().int().nonnegative().optional(),
})

/** A representation whose bytes have not all come. */
interface OpenResult {
  readonly isValue: boolean
  readonly mime: string
  readonly bytes: RetainedBytes
  left: number
}

export class AnswerDecoder {
  readonly #sink: AnswerSink
  readonly #header: Buffer = Buffer.alloc(headerBytes)
  #headerFilled = 0
  #kind: Kind = FrameKind.end
  #left = 0
  /** The payload of a frame that means something only as a whole. */
  #payload: RetainedBytes | undefined
  #open: OpenResult | undefined
  #results = 0
  #resultBytes = 0
  #ended = false

  constructor(sink: AnswerSink) {
    this.#sink = sink
  }

  /** Whether the answer is complete. */
  get ended(): boolean {
    return this.#ended
  }

  /** @throws PROTOCOL at the first byte that is wrong. Nothing may be pushed after that. */
  push(chunk: Buffer): void {
    let offset = 0
    while (offset < chunk.length) {
      if (this.#ended) throw violation('something came after the end')
      offset = this.#left > 0 ? this.#takePayload(chunk, offset) : this.#takeHeader(chunk, offset)
    }
  }

  #takeHeader(chunk: Buffer, offset: number): number {
    const taken = chunk.copy(this.#header, this.#headerFilled, offset, offset + headerBytes - this.#headerFilled)
    this.#headerFilled += taken
    if (this.#headerFilled === headerBytes) {
      this.#headerFilled = 0
      this.#begin(this.#header[0] ?? 0, this.#header.readUInt32BE(1))
    }
    return offset + taken
  }

  #begin(kind: number, length: number): void {
    if (!isKind(kind)) throw violation(`a frame of the unknown kind ${kind}`)
    if (length > payloadBytesMax) throw violation(`${length} bytes in one frame, where ${payloadBytesMax} are the most`)
    if (length === 0) throw violation(`a frame of kind ${kind} with nothing in it`)
    if (this.#open !== undefined && kind === FrameKind.result) throw violation('a result within a result')
    if (kind === FrameKind.data && length > (this.#open?.left ?? 0)) throw violation('more data than its result has')
    this.#kind = kind
    this.#left = length
    const whole = kind === FrameKind.result || kind === FrameKind.end
    this.#payload = whole ? new RetainedBytes(length, 'head') : undefined
  }

  #takePayload(chunk: Buffer, offset: number): number {
    const piece = chunk.subarray(offset, offset + this.#left)
    this.#left -= piece.length
    if (this.#kind === FrameKind.stdout) this.#sink.output('stdout', piece)
    else if (this.#kind === FrameKind.stderr) this.#sink.output('stderr', piece)
    else if (this.#kind === FrameKind.data) this.#takeData(piece)
    else this.#payload?.push(piece)
    if (this.#left === 0 && this.#payload !== undefined) this.#finishWhole(Buffer.from(this.#payload.bytes()))
    return offset + piece.length
  }

  #finishWhole(payload: Buffer): void {
    this.#payload = undefined
    if (this.#kind === FrameKind.result) this.#openResult(payload)
    else this.#end(payload)
  }

  #openResult(payload: Buffer): void {
    if (payload.length < resultHeadBytes) throw violation('a result without its length')
    const flag = payload[0] ?? 0
    const length = payload.readUInt32BE(1)
    const mime = payload.toString('latin1', resultHeadBytes)
    if (flag > 1) throw violation(`a result of the unknown sort ${flag}`)
    if (!mimePattern.test(mime)) throw violation(`a result of the type '${foreignText(mime, 64)}'`)
    this.#results++
    this.#resultBytes += length
    if (this.#results > resultsMax) throw violation(`more than ${resultsMax} results`)
    if (this.#resultBytes > resultBytesMax) throw violation(`more than ${resultBytesMax} bytes of results`)
    this.#open = { isValue: flag === 1, mime, bytes: new RetainedBytes(length, 'head'), left: length }
    if (length === 0) this.#closeResult(this.#open)
  }

  #takeData(piece: Buffer): void {
    const open = this.#open as OpenResult
    open.bytes.push(piece)
    open.left -= piece.length
    if (open.left === 0) this.#closeResult(open)
  }

  #closeResult({ isValue, mime, bytes }: OpenResult): void {
    this.#open = undefined
    this.#sink.result({ isValue, mime, data: bytes.text() })
  }

  #end(payload: Buffer): void {
    const end = parseEnd(payload)
    if (this.#open !== undefined && end.error === undefined) throw violation('a result that is not complete')
    this.#ended = true
    this.#sink.end(end)
  }
}

/** A rule of runtime.md was broken. The interpreter belongs to the tenant's programs: what it says wrong ends its own call alone. */
function violation(what: string): WarmcellError {
  return new WarmcellError('PROTOCOL', `The interpreter in the guest broke the rules of its wire: ${what}.`, {
    hint: 'Something in the sandbox answers in its place; create a new one.',
  })
}

function isKind(kind: number): kind is Kind {
  return kind >= FrameKind.stdout && kind <= FrameKind.end
}

function parseEnd(payload: Buffer): RunEnd {
  try {
    return endSchema.parse(JSON.parse(payload.toString('utf8')))
  } catch {
    throw violation('an end that is none')
  }
}
