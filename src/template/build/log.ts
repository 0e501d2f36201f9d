/** What happens in a build: told to whoever listens, and kept for the template's directory. */

import { RetainedBytes } from '../../common/retained.ts'
import type { BuildEvent } from '../snapshot.ts'

/** What is kept of a build's output, in bytes: its end. Compilers and package managers print some hundred KiB. */
const logBytesMax = 1_048_576

/** Takes what one stream of a program prints, as it comes. */
export interface Sink {
  push(chunk: Uint8Array): void
  /** Nothing more comes. */
  end(): void
}

export class BuildLog {
  readonly #onEvent: (event: BuildEvent) => void
  #kept = new RetainedBytes(logBytesMax, 'tail')

  constructor(onEvent: (event: BuildEvent) => void) {
    this.#onEvent = onEvent
  }

  step(step: Extract<BuildEvent, { type: 'step' }>['step'], detail: string): void {
    this.#kept.push(Buffer.from(`==> ${step}: ${detail}\n`))
    this.#onEvent({ type: 'step', step, detail })
  }

  /** What a stage that the build goes on from has kept, from its beginning on, in place of what was kept so far. Nobody hears of it. */
  recall(kept: Uint8Array): void {
    this.#kept = new RetainedBytes(logBytesMax, 'tail')
    this.#kept.push(kept)
  }

  /** Kept, and nothing that anybody listens for. */
  remark(text: string): void {
    this.#kept.push(Buffer.from(`==> ${text}\n`))
  }

  /** Not kept: what was kept of it has been recalled. */
  cached(detail: string): void {
    this.#onEvent({ type: 'step', step: 'cached', detail })
  }

  /** For one stream: whole characters to whoever listens, whatever pieces the bytes come in. */
  sink(): Sink {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
    const tell = (text: string): void => {
      if (text !== '') this.#onEvent({ type: 'output', text })
    }
    return {
      push: (chunk) => {
        this.#kept.push(chunk)
        tell(decoder.decode(chunk, { stream: true }))
      },
      end: () => tell(decoder.decode()),
    }
  }

  bytes(): Uint8Array {
    return this.#kept.bytes()
  }
}
