/** The deadline of a frame that has begun and not ended. */

/** An honest guest sends a frame in one go, and half of one blocks every stream. */
export const frameMsMax = 5_000

/** What is watched: a decoder, as far as this needs to know. */
interface Frames {
  readonly inFrame: boolean
  readonly framesEnded: number
}

/** One timer serves all frames, as almost every chunk of the pipe ends inside one: arming costs a number, not a timer. */
export class FrameWatch {
  readonly #frames: Frames
  readonly #onLate: () => void
  #timer: NodeJS.Timeout | undefined
  #beganAt = 0
  #stopped = false

  constructor(frames: Frames, onLate: () => void) {
    this.#frames = frames
    this.#onLate = onLate
  }

  /** A new frame has begun. */
  begin(): void {
    this.#beganAt = performance.now()
    this.#timer ??= setTimeout(this.#check, frameMsMax).unref()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  readonly #check = (): void => {
    this.#timer = undefined
    if (this.#stopped || !this.#frames.inFrame) return
    const leftMs = this.#beganAt + frameMsMax - performance.now()
    if (leftMs > 0) {
      this.#timer = setTimeout(this.#check, Math.ceil(leftMs)).unref()
      return
    }
    // When this process itself was stopped or busy, the rest of the frame may be waiting to be read: let it be read first.
    const unfinished = this.#frames.framesEnded
    setImmediate(() => {
      if (this.#stopped || !this.#frames.inFrame) return
      if (this.#frames.framesEnded === unfinished) this.#onLate()
      else this.begin()
    })
  }
}
