/** Where a pool's machines come from: its stock, who waits for one, and the making of more. */

import PQueue from 'p-queue'
import { type Deferred, deferred } from '../common/deferred.ts'
import { startTimer } from '../common/timer.ts'
import { WarmcellError } from '../errors.ts'
import type { Machine } from '../machine/index.ts'
import type { SandboxInfo } from '../sandbox/index.ts'
import type { BuildOptions, Snapshot, Template } from '../template/index.ts'
import { Budget, type BudgetLimits, type Cost, type Room } from './budget.ts'
import { Conditions } from './conditions.ts'
import { type Edition, parkedCost, type Stocked, takeOut } from './edition.ts'
import { FairLine } from './line.ts'
import { exercise, type FailureReason, make, park, StepFailure } from './maker.ts'
import { decide, type GiveWay, lineDemand, type ShelfView, type Step } from './plan.ts'
import type { Shelf } from './shelf.ts'
import type { MachineSource } from './source.ts'

/** What a supply is made of, and whom it tells. */
export interface SupplyParts {
  readonly source: MachineSource
  readonly budget: BudgetLimits
  readonly mode: 'boot' | 'wait' | 'fail'
  /** How many machines are made at once. */
  readonly makingsAtOnceMax: number
  /** How long a create stands in line, in milliseconds; undefined for as long as it takes. */
  readonly acquireTimeoutMs: number | undefined
  readonly onFailure: (template: string, reason: FailureReason, error: WarmcellError | undefined) => void
  readonly onWarm: (template: string, ms: number) => void
  /** A create has to wait for room, or for stock, or is refused. */
  readonly onExhausted: () => void
  /** The error for one that is refused, or has waited for too long. */
  readonly exhausted: (cause: 'exhausted' | 'deadline', why: string, tenant: string | undefined) => WarmcellError
}

/** A machine for a create. */
export interface Supplied {
  readonly machine: Machine
  readonly origin: SandboxInfo['origin']
  /** What it was made from, which may not be what its name stands for by now. */
  readonly template: Template
}

/** A create in line. */
interface Waiter {
  readonly turn: Deferred<Supplied>
  /** Makings that failed while it was next. */
  failures: number
}

/** One failure may be an accident; a second one right after it is told. */
const makingsPerWaiter = 2

/** Taking a warm machine is one round trip of a millisecond, on an overloaded host tens of them: a guest that has not answered by then does not. */
const wakeDeadlineMs = 1_000

/** Looking through a snapshot reads all of it: after many failures at once, once. */
const verifyEveryMs = 5_000

/** Templates built at once. Each boots a microVM beside the budget, for as long as its setup takes. */
const buildsAtOnceMax = 2

export class Supply {
  readonly budget: Budget
  readonly conditions: Conditions = new Conditions()
  readonly closing: AbortSignal
  readonly #parts: SupplyParts
  readonly #queue: PQueue
  readonly #builds = new PQueue({ concurrency: buildsAtOnceMax })
  readonly #line = new FairLine<Waiter>()
  readonly #shelves = new Map<string, Shelf>()
  /** What is on its way out. */
  readonly #ending = new Set<Promise<unknown>>()
  #cancelTimer: (() => void) | undefined
  #pumping: 'no' | 'yes' | 'again' = 'no'
  #draining = false
  /** The shelf whose next in line waits for room. */
  #short: string | undefined

  constructor(parts: SupplyParts, closing: AbortSignal) {
    this.#parts = parts
    this.closing = closing
    this.budget = new Budget(parts.budget)
    this.#queue = new PQueue({ concurrency: parts.makingsAtOnceMax })
  }

  get shelves(): ReadonlyMap<string, Shelf> {
    return this.#shelves
  }

  waiting(key: string): number {
    return this.#line.waiting(key)
  }

  add(shelf: Shelf): Shelf {
    this.#shelves.set(shelf.key, shelf)
    return shelf
  }

  /** A machine of this shelf: from stock, or whatever is made next when it is this create's turn. @throws as `Pool.createSandbox`. */
  async take(shelf: Shelf, tenant: string | undefined, weight: number, signal: AbortSignal): Promise<Supplied> {
    shelf.took(performance.now())
    for (let taken = this.#takeWarm(shelf); taken !== undefined; taken = this.#takeWarm(shelf)) {
      if (await this.#wake(shelf, taken.machine, signal)) return taken
    }
    signal.throwIfAborted()
    const refusal = this.#refusal(shelf, tenant)
    if (refusal !== undefined) throw refusal
    return this.#standInLine(shelf, tenant, weight, signal)
  }

  /** Does what there is to do. To be called whenever something has changed that a decision may hang on. */
  pump(): void {
    if (this.#pumping !== 'no') {
      this.#pumping = 'again'
      return
    }
    do {
      this.#pumping = 'yes'
      while (!this.closing.aborted && this.#perform(this.#decide()));
    } while ((this.#pumping as string) === 'again')
    this.#pumping = 'no'
    for (const shelf of this.#shelves.values()) this.#tidy(shelf)
    this.conditions.review()
    this.#armTimer()
  }

  /** Throws away what is more than the target. Resolves when it is gone. */
  async trim(shelf: Shelf): Promise<void> {
    const surplus = Math.max(0, shelf.edition.warm.length - this.#targetOf(shelf))
    const ends = shelf.edition.warm.slice(0, surplus).map((one) => this.#discard(shelf.edition.warm, one))
    if (shelf.parkedTargetAt(performance.now()) === 0 && this.#line.waiting(shelf.key) === 0)
      ends.push(...[...shelf.edition.parked].map((one) => this.#discard(shelf.edition.parked, one)))
    ends.push(this.#trimMakings(shelf))
    await Promise.all(ends)
  }

  /** Builds a template, in turn with others. @throws as `MachineSource.snapshot`. */
  async build(template: Template, options: BuildOptions): Promise<Snapshot> {
    return this.#builds.add(() => this.#parts.source.snapshot(template, options))
  }

  /** Resolves when everything is gone that was on its way out. */
  async settled(): Promise<void> {
    while (this.#ending.size > 0) await Promise.all(this.#ending)
  }

  /** Throws away what is left of an edition that nothing is made from any more. */
  discardOld({ warm, parked }: Edition, keepWarm: number): void {
    for (const one of [...parked]) void this.#discard(parked, one)
    for (const one of warm.slice(0, Math.max(0, warm.length - keepWarm))) void this.#discard(warm, one)
  }

  /** Keeps no more stock; serves who is in line. */
  drain(): void {
    this.#draining = true
    for (const shelf of this.#shelves.values()) {
      shelf.retired = true
      for (const edition of shelf.editions) this.discardOld(edition, 0)
      void this.trim(shelf)
    }
    this.pump()
  }

  /** Ends everything that is not a sandbox. Whoever waits hears of it by `closing`, which must have been aborted. */
  async close(): Promise<void> {
    this.drain()
    this.#cancelTimer?.()
    for (const shelf of this.#shelves.values()) {
      for (const { abort } of shelf.makings) abort.abort(this.closing.reason)
      for (const kind of this.#line.drain(shelf.key)) kind.turn.reject(this.closing.reason)
    }
    await Promise.all([this.#queue.onIdle(), this.#builds.onIdle()])
    // What came to its end just now has been thrown away, and is not gone yet.
    await this.settled()
    this.#cancelTimer?.()
  }

  // ── taking ──

  #takeWarm(shelf: Shelf): Supplied | undefined {
    if (this.#line.waiting(shelf.key) > 0) return undefined
    for (const edition of [shelf.edition, ...shelf.old]) {
      // The newest: what it touched last is still in the host's memory.
      const stocked = edition.warm.pop()
      if (stocked === undefined) continue
      this.#armTimer()
      return { machine: stocked.item, origin: 'warm', template: edition.template }
    }
    return undefined
  }

  /** Its answer is also the proof that it lives. */
  async #wake(shelf: Shelf, machine: Machine, signal: AbortSignal): Promise<boolean> {
    try {
      await machine.wake({ timeoutMs: wakeDeadlineMs, signal })
      signal.throwIfAborted()
      return true
    } catch (error) {
      const ended = this.#end(machine)
      if (signal.aborted) {
        await ended
        throw signal.reason
      }
      this.#parts.onFailure(shelf.name, 'wake', WarmcellError.is(error) ? error : undefined)
      return false
    }
  }

  #refusal(shelf: Shelf, tenant: string | undefined): WarmcellError | undefined {
    const { cost } = shelf.edition
    const { memoryMib, sandboxes } = this.budget.limits
    const refuse = (why: string): WarmcellError => this.#parts.exhausted('exhausted', why, tenant)
    const shortage = this.budget.shortage(cost)
    if (cost.memoryMib > memoryMib || cost.sandboxes > sandboxes) return refuse(shortage ?? '')
    if (this.#parts.mode !== 'fail') return undefined
    if (shelf.stocked) return refuse(`nothing of '${shelf.name}' is warm`)
    // There is no stock to wait for: one is made if there is room for it, and for those before it.
    return this.#hasRoomFor(cost) ? undefined : refuse(shortage ?? 'creates before this one take what is left')
  }

  #hasRoomFor(cost: Cost): boolean {
    const wanted = { ...cost }
    const yielding = { memoryMib: 0, sandboxes: 0 }
    const add = (sum: typeof wanted, each: Cost, times: number): void => {
      sum.memoryMib += each.memoryMib * times
      sum.sandboxes += each.sandboxes * times
    }
    for (const { key, edition, makings, warm, parked } of this.#shelves.values()) {
      add(wanted, edition.cost, Math.max(0, this.#line.waiting(key) - makings.size))
      add(yielding, edition.cost, warm)
      add(yielding, parkedCost, parked)
    }
    return this.budget.willFitWithout(wanted, yielding)
  }

  async #standInLine(shelf: Shelf, tenant: string | undefined, weight: number, signal: AbortSignal): Promise<Supplied> {
    const waiter: Waiter = { turn: deferred(), failures: 0 }
    // It may have been forgotten, as nobody needed it, while this create tried to wake what it had.
    if (!this.#shelves.has(shelf.key)) this.add(shelf)
    const leave = this.#line.join(shelf.key, tenant, weight, waiter)
    const giveUp = (reason: unknown): void => {
      if (leave()) waiter.turn.reject(reason)
    }
    const onAbort = (): void => giveUp(signal.reason)
    const { acquireTimeoutMs } = this.#parts
    const onDeadline = (): void => giveUp(this.#parts.exhausted('deadline', this.#whatIsWaitedFor(shelf), tenant))
    signal.addEventListener('abort', onAbort, { once: true })
    const cancelDeadline = acquireTimeoutMs === undefined ? undefined : startTimer(acquireTimeoutMs, onDeadline)
    try {
      this.pump()
      if (this.#short !== undefined || (this.#parts.mode === 'wait' && shelf.stocked)) this.#parts.onExhausted()
      const supplied = await waiter.turn.promise
      if (!signal.aborted) return supplied
      await this.#end(supplied.machine)
      throw signal.reason
    } catch (error) {
      // Whoever gives up hears of it when nothing is left of what was only made because of them.
      await this.#trimMakings(shelf)
      this.pump()
      throw error
    } finally {
      cancelDeadline?.()
      signal.removeEventListener('abort', onAbort)
    }
  }

  #whatIsWaitedFor(shelf: Shelf): string {
    const after = `after ${this.#parts.acquireTimeoutMs} ms in line, `
    if (this.#short !== undefined) return `${after}${this.budget.shortage(shelf.edition.cost) ?? 'others come first'}`
    if (!shelf.edition.built) return `${after}'${shelf.name}' was still being built`
    return `${after}${shelf.makings.size} of '${shelf.name}' were in the making for ${this.#line.waiting(shelf.key)} who waited`
  }

  // ── making ──

  #decide(): Step {
    const now = performance.now()
    const views = new Map([...this.#shelves.values()].map((shelf) => [shelf.key, this.#view(shelf, now)]))
    const inTurn = this.#line.kindsInTurn().flatMap((key) => views.get(key) ?? [])
    const slots = this.#queue.concurrency - this.#queue.pending - this.#queue.size
    return decide({ shelves: [...views.values()], inTurn, budget: this.budget, slots, mode: this.#parts.mode })
  }

  #view(shelf: Shelf, now: number): ShelfView {
    const { key, edition, takenAt, wanted } = shelf
    return {
      key,
      waiting: this.#line.waiting(key),
      making: shelf.makings.size,
      warm: edition.warm.length,
      warmOld: shelf.old.reduce((sum, { warm }) => sum + warm.length, 0),
      parked: edition.parked.length,
      parking: edition.parking,
      target: shelf.targetAt(now),
      parkedTarget: shelf.parkedTargetAt(now),
      cost: edition.cost,
      built: edition.built,
      building: edition.building !== undefined,
      wanted: wanted && !edition.built && !this.#draining,
      resting: shelf.restsUntil > now,
      takenAt,
    }
  }

  /** Returns whether there may be more to do. */
  #perform(step: Step): boolean {
    if (step.kind === 'rest') {
      this.#short = step.short
      return false
    }
    if (step.kind === 'give way') {
      for (const way of step.ways) this.#giveWay(way)
      return true
    }
    const shelf = this.#shelves.get(step.key) as Shelf
    if (step.kind === 'build') this.#build(shelf, shelf.edition)
    else if (step.kind === 'park') this.#park(shelf, shelf.edition)
    else this.#make(shelf, shelf.edition)
    return true
  }

  #giveWay({ key, level, count }: GiveWay): void {
    const shelf = this.#shelves.get(key) as Shelf
    for (let left = count; left > 0; left--) {
      const stock = shelf.editions.map((edition): Stocked<{ destroy(): Promise<void> }>[] => edition[level])
      const from = stock.find(({ length }) => length > 0)
      if (from?.[0] !== undefined) void this.#discard(from, from[0])
    }
  }

  #build(shelf: Shelf, edition: Edition): void {
    const { template, tenant } = edition
    const options = { signal: this.closing, ...(tenant !== undefined && { tenant }) }
    edition.building = this.build(template, options)
      .then(
        (snapshot) => {
          edition.snapshot = snapshot
          shelf.backoff.succeeded()
        },
        (error: unknown) => this.#buildFailed(shelf, error),
      )
      .finally(() => {
        edition.building = undefined
        this.pump()
      })
  }

  /** Nobody who waits can be served: another try would fail as this one did. */
  #buildFailed(shelf: Shelf, cause: unknown): void {
    if (this.closing.aborted) return
    const error = new StepFailure('build', cause, `template '${shelf.name}'`).cause
    shelf.backoff.failed(performance.now())
    shelf.wanted = false
    this.#parts.onFailure(shelf.name, 'build', error)
    this.conditions.fail(shelf.key, error)
    for (const { turn } of this.#line.drain(shelf.key)) turn.reject(error)
  }

  #make(shelf: Shelf, edition: Edition): void {
    const parked = edition.parked.shift()
    parked?.room.release()
    const room = this.budget.take(edition.cost)
    const abort = new AbortController()
    edition.making++
    const done = this.#queue.add(() => this.#makeOne(shelf, edition, parked, room, abort.signal))
    const making = { abort, done }
    shelf.makings.add(making)
    void done.finally(() => {
      shelf.makings.delete(making)
      edition.making--
      this.pump()
    })
  }

  async #makeOne(
    shelf: Shelf,
    edition: Edition,
    parked: Edition['parked'][number] | undefined,
    room: Room,
    signal: AbortSignal,
  ): Promise<void> {
    const startedAt = performance.now()
    const { snapshot, template } = edition
    let machine: Machine | undefined
    try {
      machine = await make(this.#parts.source, template, snapshot, parked?.item, signal)
      void machine.ended.then(() => this.#released(room))
      shelf.backoff.succeeded()
      if (this.#handOver(shelf, edition, machine)) return
      if (this.#takesStock(shelf, edition)) {
        await exercise(machine, template, signal)
        if (this.#handOver(shelf, edition, machine)) return
        if (this.#takesStock(shelf, edition)) {
          this.#stock(shelf, edition, machine, room, performance.now() - startedAt)
          return
        }
      }
      await this.#end(machine)
    } catch (error) {
      if (machine === undefined) this.#released(room)
      else await this.#end(machine)
      if (error instanceof StepFailure) await this.#makingFailed(shelf, edition, snapshot, error)
    }
  }

  /** To whoever is next in line, if anybody is. */
  #handOver(shelf: Shelf, edition: Edition, machine: Machine): boolean {
    const origin = edition.template.sharing === 'none' ? 'boot' : 'clone'
    const waiter = this.#line.take(shelf.key)
    waiter?.turn.resolve({ machine, origin, template: edition.template })
    return waiter !== undefined
  }

  #takesStock(shelf: Shelf, edition: Edition): boolean {
    return edition === shelf.edition && edition.warm.length < this.#targetOf(shelf)
  }

  #stock(shelf: Shelf, edition: Edition, machine: Machine, room: Room, ms: number): void {
    machine.pause()
    const stocked = { item: machine, room }
    edition.warm.push(stocked)
    shelf.target.made(ms)
    void machine.ended.then(() => {
      if (takeOut(edition.warm, stocked)) this.#lost(shelf, 'warm-ended')
    })
    this.#parts.onWarm(shelf.name, ms)
    // It takes the place of one of those before.
    const before = shelf.old.find(({ warm }) => warm.length > 0)
    if (before?.warm[0] !== undefined) void this.#discard(before.warm, before.warm[0])
  }

  async #makingFailed(shelf: Shelf, edition: Edition, snapshot: Snapshot | undefined, failure: StepFailure): Promise<void> {
    const { cause, reason } = failure
    shelf.backoff.failed(performance.now())
    this.#parts.onFailure(shelf.name, reason, cause)
    if (snapshot !== undefined && reason === 'clone') await this.#verify(shelf, edition, snapshot)
    // Of a snapshot that was thrown away meanwhile nothing more is to be expected.
    if (edition.snapshot !== snapshot) return
    const next = this.#line.first(shelf.key)
    if (next === undefined) return
    next.failures += cause.retryable ? 1 : makingsPerWaiter
    if (next.failures < makingsPerWaiter) return
    this.#line.take(shelf.key)
    next.turn.reject(cause)
  }

  /** Whether the snapshot is still what it was; one that is not is forgotten, and what is parked for it thrown away. */
  async #verify(shelf: Shelf, edition: Edition, snapshot: Snapshot): Promise<void> {
    if (edition.verifying === undefined && performance.now() - edition.verifiedAt > verifyEveryMs) {
      edition.verifying = this.#parts.source
        .verify(snapshot)
        .catch((error: unknown) => {
          if (!WarmcellError.is(error) || error.code !== 'TEMPLATE_CORRUPT' || edition.snapshot !== snapshot) return
          edition.snapshot = undefined
          for (const one of [...edition.parked]) void this.#discard(edition.parked, one)
          this.#parts.onFailure(shelf.name, 'corrupt', error)
        })
        .finally(() => {
          edition.verifiedAt = performance.now()
          edition.verifying = undefined
        })
    }
    await edition.verifying
  }

  #park(shelf: Shelf, edition: Edition): void {
    const room = this.budget.take(parkedCost)
    edition.parking++
    void this.#queue
      .add(async () => {
        const snapshot = edition.snapshot as Snapshot
        const item = await park(this.#parts.source, snapshot, this.closing)
        void item.ended.then(() => this.#released(room))
        const stocked = { item, room }
        if (edition !== shelf.edition || edition.snapshot !== snapshot || !shelf.stocked) {
          await this.#end(item)
          return
        }
        edition.parked.push(stocked)
        void item.ended.then(() => {
          if (takeOut(edition.parked, stocked)) this.#lost(shelf, 'parked-ended')
        })
      })
      .catch((error: unknown) => {
        this.#released(room)
        if (!(error instanceof StepFailure)) return
        shelf.backoff.failed(performance.now())
        this.#parts.onFailure(shelf.name, 'park', error.cause)
      })
      .finally(() => {
        edition.parking--
        this.pump()
      })
  }

  // ── ending ──

  /** Something in stock ended by itself. */
  #lost(shelf: Shelf, reason: FailureReason): void {
    shelf.backoff.failed(performance.now())
    this.#parts.onFailure(shelf.name, reason, undefined)
    this.pump()
  }

  #released(room: Room): void {
    room.release()
    this.pump()
  }

  /** Throws one away that is in stock. */
  async #discard<T extends { destroy(): Promise<void> }>(stock: Stocked<T>[], one: Stocked<T>): Promise<void> {
    if (!takeOut(stock, one)) return
    one.room.leaves()
    await this.#end(one.item)
  }

  async #end(machine: { destroy(): Promise<void> }): Promise<void> {
    const ending = machine.destroy()
    this.#ending.add(ending)
    await ending
    this.#ending.delete(ending)
  }

  /** Gives up makings that nobody waits for any more and no stock has a place for, the youngest first. */
  async #trimMakings(shelf: Shelf): Promise<void> {
    const target = this.#targetOf(shelf)
    const waiting = this.#line.waiting(shelf.key)
    const wanted = lineDemand({ waiting, target }, this.#parts.mode) + Math.max(0, target - shelf.edition.warm.length)
    const surplus = [...shelf.makings].slice(wanted)
    for (const { abort } of surplus) abort.abort(new Error('nobody waits for it any more'))
    await Promise.all(surplus.map(({ done }) => done))
  }

  #targetOf(shelf: Shelf): number {
    return this.#draining ? 0 : shelf.targetAt(performance.now())
  }

  /** Forgets what is over: editions of which nothing is left, shelves that nobody needs; and lets a stock shrink that is above its target. */
  #tidy(shelf: Shelf): void {
    if (shelf.edition.warm.length > this.#targetOf(shelf)) void this.trim(shelf)
    if (shelf.edition.warm.length >= this.#targetOf(shelf)) for (const edition of shelf.old) this.discardOld(edition, 0)
    for (const edition of [...shelf.old]) if (edition.gone) shelf.old.splice(shelf.old.indexOf(edition), 1)
    const { edition } = shelf
    const idle = edition.gone && edition.building === undefined && shelf.old.length + this.#line.waiting(shelf.key) === 0
    if (idle && (shelf.retired || edition.tenant !== undefined)) this.#shelves.delete(shelf.key)
  }

  /** Wakes up when the rest of some shelf is over, or its target may fall. */
  #armTimer(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    if (this.closing.aborted) return
    const now = performance.now()
    const times = [...this.#shelves.values()].flatMap((shelf) => {
      const missing = shelf.edition.warm.length < this.#targetOf(shelf) || shelf.edition.parked.length < shelf.parkedTargetAt(now)
      const rests = missing && shelf.restsUntil > now ? [shelf.restsUntil] : []
      const changes = shelf.retired ? undefined : shelf.target.changesAt()
      return changes === undefined ? rests : [...rests, Math.max(changes, now + 1)]
    })
    if (times.length === 0) return
    const timer = setTimeout(() => this.pump(), Math.ceil(Math.min(...times) - now))
    // A pool that only waits for its own next look keeps no process alive.
    timer.unref()
    this.#cancelTimer = () => clearTimeout(timer)
  }
}
