/** Bringing one blob here: as often as it breaks off, and never more of it than there should be. */

import { PullFailure } from '../failure.ts'
import type { ImageSource, WantedBlob } from '../source/contract.ts'
import { type Timing, withRetries } from '../timing.ts'
import { PartialBlob } from './partial.ts'

export interface DownloadOptions {
  readonly timing: Timing
  readonly signal: AbortSignal
  /** How much of it is here. */
  readonly onBytes: (bytes: number) => void
}

/** How often a blob that came in parts, and is not what it should be, is read from its beginning. */
const roundsMax = 3

/**
 * The caller holds the lock of its digest. When it is given up or the other side fails, what has come stays for the next attempt; what is wrong is removed.
 *
 * @param from where what has come of it is kept
 * @param to where it is when all of it is here and is what its digest says
 */
export async function download(
  blob: WantedBlob,
  source: ImageSource,
  { from, to }: { from: string; to: string },
  options: DownloadOptions,
): Promise<void> {
  const partial = await PartialBlob.open(from, blob.size, options.signal)
  try {
    for (let round = 1; ; round++) {
      const isInherited = partial.sizeBytes > 0
      const { parts, discredit } = await fill(partial, blob, source, options)
      if (partial.digest() === blob.digest) return await partial.publish(to)
      await partial.restart()
      // What an earlier process left may have been damaged by what ended it, and parts of several mirrors may not go together: that is no proof against the last of them.
      const isPieced = isInherited || parts > 1
      if (!(isPieced && round < roundsMax) && !discredit()) {
        await partial.remove()
        throw new PullFailure(`what came for ${blob.digest} is something else`, {
          hint: 'It was changed on the way, or where it is kept: have it pushed again, or use another mirror.',
        })
      }
    }
  } catch (error) {
    if (partial.sizeBytes === 0) await partial.remove()
    throw error
  } finally {
    await partial.close()
  }
}

/** What came at last, and in how many parts. */
interface Filled {
  readonly parts: number
  readonly discredit: () => boolean
}

/** Until there is as much as there should be. */
async function fill(
  partial: PartialBlob,
  blob: WantedBlob,
  source: ImageSource,
  { timing, signal, onBytes }: DownloadOptions,
): Promise<Filled> {
  let parts = 0
  let discredit = (): boolean => false
  let mostBytes = partial.sizeBytes
  onBytes(partial.sizeBytes)
  await withRetries({ timing, signal, doneBytes: () => mostBytes }, async () => {
    if (partial.sizeBytes === blob.size) return
    const opened = await source.openBlob(blob, partial.sizeBytes, signal)
    discredit = opened.discredit
    parts++
    if (opened.offset !== partial.sizeBytes) await partial.restart()
    try {
      for await (const piece of opened.body) {
        signal.throwIfAborted()
        if (partial.sizeBytes + piece.length > blob.size) throw await tooLong(partial, blob)
        await partial.append(piece)
        mostBytes = Math.max(mostBytes, partial.sizeBytes)
        onBytes(partial.sizeBytes)
      }
      if (partial.sizeBytes < blob.size) throw tooShort(partial, blob)
    } catch (error) {
      // The next attempt is made at another mirror, or at the registry itself.
      if (!signal.aborted && error instanceof PullFailure && opened.discredit()) throw error.again()
      throw error
    }
  })
  return { parts, discredit }
}

async function tooLong(partial: PartialBlob, { digest, size }: WantedBlob): Promise<PullFailure> {
  await partial.restart()
  return new PullFailure(`more than the ${size} bytes came that ${digest} has`, {
    hint: 'Have the image pushed again, or use another.',
  })
}

function tooShort({ sizeBytes }: PartialBlob, { digest, size }: WantedBlob): PullFailure {
  return new PullFailure(`only ${sizeBytes} of the ${size} bytes of ${digest} came`, { hint: 'Try again.', retryable: true })
}
