/** From what a program has printed to what a terminal shows of it, as the shortest output that draws the same. */

import { Worker } from 'node:worker_threads'
import PQueue from 'p-queue'
import { wholeCharactersEnd } from '../../common/retained.ts'
import { startTimer } from '../../common/timer.ts'

export interface Size {
  readonly cols: number
  readonly rows: number
}

/**
 * Drawings made at once, of all sandboxes of this process. Each is a thread that is one terminal (emulator-worker.js): 100 ms, most of it its start.
 * A few bytes can make a terminal work for long (`CSI 2 J` 65,536 times at 500 × 200: 15 s) or trip it up. That must be nobody's but the one
 * terminal's that printed them.
 */
const drawingsAtOnceMax = 2

/** A drawing that takes longer is given up, in milliseconds. */
const drawingMsMax = 3_000

/** A terminal has its cells allocated from the start, 12 bytes each, twice. */
const cellsMax = 1_000_000

const resourceLimits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 }

const drawings = new PQueue({ concurrency: drawingsAtOnceMax })

/**
 * @param urgent somebody waits for it: it comes before all that nobody does
 * @returns undefined when it cannot be drawn within the bounds above
 */
export async function redraw(output: Uint8Array, { cols, rows }: Size, urgent: boolean): Promise<Uint8Array | undefined> {
  if (cols * rows > cellsMax) return undefined
  const drawing = await drawings.add(() => draw(output, cols, rows), { priority: urgent ? 1 : 0 })
  return drawing && Buffer.concat([drawing, unfinished(output)])
}

/** A sequence that has begun and not ended: an escape, a CSI, a string such as a title, which BEL ends too, or one of the others. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unfinishedSequence = /\x1b(?:[ -/]*|\[[ -?]*|\][^\x07\x18\x1a\x1b]*\x1b?|[P_^X][^\x18\x1a\x1b]*\x1b?)$/

/** The end of the output that draws nothing without what comes next: the rest of a sequence or of a character must not be taken for text. */
function unfinished(output: Uint8Array): Uint8Array {
  const text = Buffer.from(output.buffer, output.byteOffset, output.byteLength).toString('latin1')
  const start = text.search(unfinishedSequence)
  return output.subarray(start === -1 ? wholeCharactersEnd(output) : start)
}

async function draw(output: Uint8Array, cols: number, rows: number): Promise<Uint8Array | undefined> {
  const worker = startWorker({ output, cols, rows })
  if (worker === undefined) return undefined
  let cancelTimer = (): void => {}
  try {
    return await new Promise<Uint8Array | undefined>((resolve) => {
      worker.once('message', (drawing: Uint8Array) => resolve(Buffer.from(drawing.buffer)))
      worker.on('error', () => resolve(undefined))
      cancelTimer = startTimer(drawingMsMax, () => resolve(undefined))
    })
  } finally {
    cancelTimer()
    await worker.terminate()
  }
}

/** Undefined on a host that has no thread left to give. */
function startWorker(workerData: { output: Uint8Array } & Size): Worker | undefined {
  try {
    return new Worker(new URL('./emulator-worker.js', import.meta.url), { workerData, resourceLimits, execArgv: [] })
  } catch {
    return undefined
  }
}
