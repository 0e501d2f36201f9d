/** The making of machines: templates built, clones made and stocked, processes parked; and what follows when that fails. */

import PQueue from 'p-queue'
import { WarmcellError } from '../errors.ts'
import type { Machine, ParkedMachine } from '../machine/index.ts'
import type { BuildOptions, Snapshot, Template } from '../template/index.ts'
import type { Budget, Room } from './budget.ts'
import { type Disposal, type Stocked, takeOut } from './disposal.ts'
import { type Built, type Edition, parkedCost } from './edition.ts'
import { exercise, type FailureReason, make, park, StepFailure } from './maker.ts'
import type { Shelf } from './shelf.ts'
import type { MachineSource } from './source.ts'

/** What a factory works with, and whom it tells. */
export interface FactoryParts {
  readonly source: MachineSource
  /** How many machines are made at once. */
  readonly makingsAtOnceMax: number
  readonly budget: Budget
  readonly disposal: Disposal
  readonly closing: AbortSignal
  /** Gives a machine to whoever is next in line; false when nobody waits. */
  readonly handOver: (shelf: Shelf, edition: Edition, machine: Machine) => boolean
  /** How many of it are to be warm now. */
  readonly targetOf: (shelf: Shelf) => number
  /** Somebody who waits has seen a making fail. */
  readonly makingFailed: (shelf: Shelf, error: WarmcellError) => void
  /** Nobody who waits for this shelf can be served. */
  readonly buildFailed: (shelf: Shelf, error: WarmcellError) => void
  readonly onFailure: (template: string, reason: FailureReason, error: WarmcellError | undefined) => void
  readonly onWarm: (template: string, ms: number) => void
  /** Something has changed that a decision may hang on. */
  readonly changed: () => void
}

/** Looking through a snapshot reads all of it: after many failures at once, once. */
const verifyEveryMs = 5_000

/** Templates built at once. Each boots a microVM beside the budget, for as long as its setup takes. */
const buildsAtOnceMax = 2

export class Factory {
  readonly #parts: FactoryParts
  readonly #makings: PQueue
  readonly #builds = new PQueue({ concurrency: buildsAtOnceMax })

  constructor(parts: FactoryParts) {
    this.#parts = parts
    this.#makings = new PQueue({ concurrency: parts.makingsAtOnceMax })
  }

  /** How many more can be made at once. */
  get slots(): number {
    return this.#makings.concurrency - this.#makings.pending - this.#makings.size
  }

  /** Builds a template, in turn with others. @throws as `MachineSource.rooted` and `MachineSource.snapshot`. */
  async build(template: Template, options: BuildOptions): Promise<Built> {
    const { source } = this.#parts
    return this.#builds.add(async () => {
      const rooted = await source.rooted(template, options)
      return { template: rooted, snapshot: rooted.sharing === 'none' ? undefined : await source.snapshot(rooted, options) }
    })
  }

  /** Resolves when nothing is being made. */
  async idle(): Promise<void> {
    await Promise.all([this.#makings.onIdle(), this.#builds.onIdle()])
  }

  buildEdition(shelf: Shelf, edition: Edition): void {
    const { changed, closing, onFailure, buildFailed } = this.#parts
    const { template, tenant } = edition
    edition.building = this.build(template, { signal: closing, ...(tenant !== undefined && { tenant }) })
      .then(
        (built) => {
          edition.adopt(built)
          shelf.backoff.succeeded()
        },
        (cause: unknown) => {
          if (closing.aborted) return
          const { error } = new StepFailure('build', cause, `template '${shelf.name}'`)
          shelf.backoff.failed(performance.now())
          shelf.wanted = false
          onFailure(shelf.name, 'build', error)
          // Another try would fail as this one did.
          buildFailed(shelf, error)
        },
      )
      .finally(() => {
        edition.building = undefined
        changed()
      })
  }

  make(shelf: Shelf, edition: Edition): void {
    const { snapshot } = edition
    const parked = edition.parked.shift()
    parked?.room.release()
    const room = this.#parts.budget.take(edition.cost)
    const abort = new AbortController()
    edition.making++
    const done = this.#makings.add(() => this.#makeOne(shelf, edition, snapshot, parked?.item, room, abort.signal))
    const making = { abort, done }
    shelf.makings.add(making)
    void done.finally(() => {
      shelf.makings.delete(making)
      edition.making--
      this.#parts.changed()
    })
  }

  park(shelf: Shelf, edition: Edition): void {
    const { budget, changed } = this.#parts
    const { snapshot } = edition
    const room = budget.take(parkedCost)
    const done = this.#makings
      .add(() => this.#parkOne(shelf, edition, snapshot as Snapshot, room))
      .catch(async (failure: unknown) => {
        this.#release(room)
        if (failure instanceof StepFailure) await this.#examine(shelf, edition, snapshot, failure)
      })
      .finally(() => {
        edition.parkings.delete(done)
        changed()
      })
    edition.parkings.add(done)
  }

  async #makeOne(
    shelf: Shelf,
    edition: Edition,
    snapshot: Snapshot | undefined,
    parked: ParkedMachine | undefined,
    room: Room,
    signal: AbortSignal,
  ): Promise<void> {
    const { source, disposal } = this.#parts
    const startedAt = performance.now()
    const { template } = edition
    let machine: Machine | undefined
    try {
      machine = await make(source, template, snapshot, parked, signal)
      void machine.ended.then(() => this.#release(room))
      if (this.#served(shelf, edition, machine)) return
      if (this.#takesStock(shelf, edition)) {
        await exercise(machine, template, signal)
        if (this.#served(shelf, edition, machine)) return
        if (this.#takesStock(shelf, edition)) {
          this.#stock(shelf, edition, { item: machine, room }, performance.now() - startedAt)
          return
        }
      }
      await disposal.end(machine)
    } catch (failure) {
      if (machine === undefined) this.#release(room)
      else await disposal.end(machine)
      if (failure instanceof StepFailure) await this.#makingFailed(shelf, edition, snapshot, failure)
    }
  }

  async #parkOne(shelf: Shelf, edition: Edition, snapshot: Snapshot, room: Room): Promise<void> {
    const { source, closing, disposal } = this.#parts
    const item = await park(source, snapshot, closing)
    void item.ended.then(() => this.#release(room))
    if (edition !== shelf.edition || edition.snapshot !== snapshot || !shelf.stocked) {
      await disposal.end(item)
      return
    }
    const stocked = { item, room }
    edition.parked.push(stocked)
    void item.ended.then(() => {
      if (takeOut(edition.parked, stocked)) this.#lost(shelf, 'parked-ended')
    })
  }

  #served(shelf: Shelf, edition: Edition, machine: Machine): boolean {
    const served = this.#parts.handOver(shelf, edition, machine)
    if (served) shelf.backoff.succeeded()
    return served
  }

  #takesStock(shelf: Shelf, edition: Edition): boolean {
    return edition === shelf.edition && edition.warm.length < this.#parts.targetOf(shelf)
  }

  #stock(shelf: Shelf, edition: Edition, stocked: Stocked<Machine>, ms: number): void {
    stocked.item.pause()
    edition.warm.push(stocked)
    shelf.backoff.succeeded()
    shelf.target.made(ms)
    void stocked.item.ended.then(() => {
      if (takeOut(edition.warm, stocked)) this.#lost(shelf, 'warm-ended')
    })
    this.#parts.onWarm(shelf.name, ms)
    // It takes the place of one of the edition before.
    const before = shelf.old.find(({ warm }) => warm.length > 0)
    if (before?.warm[0] !== undefined) void this.#parts.disposal.discard(before.warm, before.warm[0])
  }

  async #makingFailed(shelf: Shelf, edition: Edition, snapshot: Snapshot | undefined, failure: StepFailure): Promise<void> {
    await this.#examine(shelf, edition, snapshot, failure)
    // A snapshot that was thrown away meanwhile is an explanation, and the next one may do.
    if (edition.snapshot === snapshot) this.#parts.makingFailed(shelf, failure.error)
  }

  /** Counts a failure, and looks whether the snapshot is the cause. */
  async #examine(shelf: Shelf, edition: Edition, snapshot: Snapshot | undefined, { reason, error }: StepFailure): Promise<void> {
    shelf.backoff.failed(performance.now())
    this.#parts.onFailure(shelf.name, reason, error)
    if (snapshot !== undefined && (reason === 'park' || reason === 'clone')) await this.#verify(shelf, edition, snapshot)
  }

  /** Whether the snapshot is still what it was; one that is not is forgotten, and what is parked for it thrown away. */
  async #verify(shelf: Shelf, edition: Edition, snapshot: Snapshot): Promise<void> {
    if (edition.verifying === undefined && performance.now() - edition.verifiedAt > verifyEveryMs) {
      const { source, disposal, onFailure } = this.#parts
      edition.verifying = source
        .verify(snapshot)
        .catch((error: unknown) => {
          if (!WarmcellError.is(error) || error.code !== 'TEMPLATE_CORRUPT' || edition.snapshot !== snapshot) return
          edition.snapshot = undefined
          for (const one of [...edition.parked]) void disposal.discard(edition.parked, one)
          onFailure(shelf.name, 'corrupt', error)
        })
        .finally(() => {
          edition.verifiedAt = performance.now()
          edition.verifying = undefined
        })
    }
    await edition.verifying
  }

  /** Something in stock ended by itself. */
  #lost(shelf: Shelf, reason: FailureReason): void {
    shelf.backoff.failed(performance.now())
    this.#parts.onFailure(shelf.name, reason, undefined)
    this.#parts.changed()
  }

  #release(room: Room): void {
    room.release()
    this.#parts.changed()
  }
}
