/** What a pool has, who gets it, and what is done next: stock, line, budget and factory brought together. */

import { WarmcellError } from '../errors.ts'
import type { Machine } from '../machine/index.ts'
import type { BuildOptions, Template } from '../template/index.ts'
import { Alarm } from './alarm.ts'
import { Budget, type BudgetLimits } from './budget.ts'
import { Conditions } from './conditions.ts'
import { Disposal, type Stocked } from './disposal.ts'
import type { Built, Edition } from './edition.ts'
import { Factory, type FactoryParts } from './factory.ts'
import { decide, type GiveWay, lineDemand, type ShelfView, type Step } from './plan.ts'
import { Queueing, type Request, type Supplied } from './queueing.ts'
import { lacksRoom, type Standing, whatIsWaitedFor, whyRefused } from './scarcity.ts'
import type { Shelf } from './shelf.ts'

/** What a supply is made of, and whom it tells. */
export interface SupplyParts extends Pick<FactoryParts, 'source' | 'makingsAtOnceMax' | 'onFailure' | 'onWarm'> {
  readonly budget: BudgetLimits
  readonly mode: 'boot' | 'wait' | 'fail'
  /** How long a create stands in line, in milliseconds; undefined for as long as it takes. */
  readonly acquireTimeoutMs: number | undefined
  /** A create has to wait for room, or for stock. */
  readonly onExhausted: () => void
  /** The error for one that is refused, or has waited for too long. */
  readonly exhausted: (cause: 'exhausted' | 'deadline', why: string, tenant: string | undefined) => WarmcellError
}

/** Taking a warm machine is one round trip of a millisecond, on an overloaded host tens of them: a guest that has not answered by then does not. */
const wakeDeadlineMs = 1_000

export class Supply {
  readonly budget: Budget
  readonly conditions: Conditions = new Conditions()
  readonly closing: AbortSignal
  readonly #parts: SupplyParts
  readonly #disposal = new Disposal()
  readonly #queueing = new Queueing()
  readonly #factory: Factory
  readonly #shelves = new Map<string, Shelf>()
  readonly #alarm = new Alarm(() => this.pump())
  #decidedAt = 0
  #pumping: 'no' | 'yes' | 'again' = 'no'
  #draining = false

  constructor(parts: SupplyParts, closing: AbortSignal) {
    this.#parts = parts
    this.closing = closing
    this.budget = new Budget(parts.budget)
    const { source, makingsAtOnceMax, onFailure, onWarm } = parts
    this.#factory = new Factory({
      source,
      makingsAtOnceMax,
      onFailure,
      onWarm,
      closing,
      budget: this.budget,
      disposal: this.#disposal,
      handOver: (shelf, edition, machine) => this.#handOver(shelf, edition, machine),
      targetOf: (shelf) => this.#targetOf(shelf),
      makingFailed: ({ key }, error) => this.#queueing.failed(key, error),
      buildFailed: ({ key }, error) => {
        this.conditions.fail(key, error)
        this.#queueing.failAll(key, error)
      },
      changed: () => this.pump(),
    })
  }

  get shelves(): ReadonlyMap<string, Shelf> {
    return this.#shelves
  }

  waiting(key: string): number {
    return this.#queueing.waiting(key)
  }

  add(shelf: Shelf): Shelf {
    this.#shelves.set(shelf.key, shelf)
    return shelf
  }

  /** Builds a template, in turn with others. @throws as `MachineSource.rooted` and `MachineSource.snapshot`. */
  build(template: Template, options: BuildOptions): Promise<Built> {
    return this.#factory.build(template, options)
  }

  /** A machine of this shelf: from stock, or whatever is made next when it is this create's turn. @throws as `Pool.createSandbox`. */
  async take(shelf: Shelf, request: Request): Promise<Supplied> {
    shelf.took(performance.now())
    for (let taken = this.#takeWarm(shelf); taken !== undefined; taken = this.#takeWarm(shelf)) {
      if (await this.#wake(shelf, taken.machine, request.signal)) return taken
    }
    request.signal.throwIfAborted()
    const refusal = whyRefused(this.#standing(shelf))
    if (refusal !== undefined) throw this.#parts.exhausted('exhausted', refusal, request.tenant)
    return this.#standInLine(shelf, request)
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
      for (const shelf of this.#shelves.values()) this.#tidy(shelf)
      this.conditions.review()
    } while ((this.#pumping as string) === 'again')
    this.#pumping = 'no'
    this.#setAlarm()
  }

  /** Throws away what is more than the target. Resolves when it is gone. */
  async trim(shelf: Shelf): Promise<void> {
    const { edition } = shelf
    const surplus = Math.max(0, edition.warm.length - this.#targetOf(shelf))
    const ends = edition.warm.slice(0, surplus).map((one) => this.#disposal.discard(edition.warm, one))
    if (shelf.parkedTargetAt(performance.now()) === 0 && this.waiting(shelf.key) === 0)
      ends.push(...[...edition.parked].map((one) => this.#disposal.discard(edition.parked, one)), ...edition.parkings)
    await Promise.all([...ends, this.#trimMakings(shelf)])
  }

  /** Throws away what is parked of an edition that nothing is made from any more, and what is warm unless that is to go one by one. */
  retire({ warm, parked }: Edition, keep: 'warm' | 'nothing'): void {
    for (const one of [...parked]) void this.#disposal.discard(parked, one)
    if (keep === 'nothing') for (const one of [...warm]) void this.#disposal.discard(warm, one)
  }

  /** Resolves when everything is gone that was on its way out. */
  settled(): Promise<void> {
    return this.#disposal.settled()
  }

  /** Keeps no more stock; serves who is in line. */
  drain(): void {
    this.#draining = true
    for (const shelf of this.#shelves.values()) {
      shelf.retired = true
      for (const edition of shelf.editions) this.retire(edition, 'nothing')
      void this.trim(shelf)
    }
    this.pump()
  }

  /** Ends everything that is not a sandbox. Whoever waits hears of it by `closing`, which must have been aborted. */
  async close(): Promise<void> {
    this.drain()
    for (const shelf of this.#shelves.values()) for (const { abort } of shelf.makings) abort.abort(this.closing.reason)
    await this.#factory.idle()
    // What came to its end just now has been thrown away, and is not gone yet.
    await this.settled()
    this.#alarm.clear()
  }

  #takeWarm(shelf: Shelf): Supplied | undefined {
    if (this.waiting(shelf.key) > 0) return undefined
    for (const { warm, template } of [shelf.edition, ...shelf.old]) {
      // The newest: what it touched last is still in the host's memory.
      const stocked = warm.pop()
      if (stocked === undefined) continue
      this.#lookBy(shelf.restsUntil)
      return { machine: stocked.item, origin: 'warm', template }
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
      const ended = this.#disposal.end(machine)
      if (signal.aborted) {
        await ended
        throw signal.reason
      }
      this.#parts.onFailure(shelf.name, 'wake', WarmcellError.is(error) ? error : undefined)
      return false
    }
  }

  async #standInLine(shelf: Shelf, request: Request): Promise<Supplied> {
    // It may have been forgotten, as nobody needed it, while this create tried to wake what it had.
    if (!this.#shelves.has(shelf.key)) this.add(shelf)
    const { acquireTimeoutMs, exhausted, mode, onExhausted } = this.#parts
    const onDeadline = (): WarmcellError =>
      exhausted('deadline', `after ${acquireTimeoutMs} ms in line, ${whatIsWaitedFor(this.#standing(shelf))}`, request.tenant)
    try {
      const turn = this.#queueing.stand(shelf.key, request, acquireTimeoutMs, onDeadline)
      this.pump()
      const inLine = this.waiting(shelf.key) > 0
      if (inLine && ((mode === 'wait' && shelf.stocked) || lacksRoom(this.#standing(shelf)))) onExhausted()
      const supplied = await turn
      if (!request.signal.aborted) return supplied
      await this.#disposal.end(supplied.machine)
      throw request.signal.reason
    } catch (error) {
      // Whoever gives up hears of it when nothing is left of what was only made because of them.
      await this.#trimMakings(shelf)
      this.pump()
      throw error
    }
  }

  #standing(shelf: Shelf): Standing {
    const { budget } = this
    const shelves = [...this.#views(performance.now()).values()]
    return { shelf, waiting: this.waiting(shelf.key), shelves, budget, mode: this.#parts.mode }
  }

  #handOver({ key }: Shelf, { template }: Edition, machine: Machine): boolean {
    return this.#queueing.serve(key, { machine, template, origin: template.sharing === 'none' ? 'boot' : 'clone' })
  }

  #decide(): Step {
    this.#decidedAt = performance.now()
    const views = this.#views(this.#decidedAt)
    const inTurn = this.#queueing.keysInTurn().flatMap((key) => views.get(key) ?? [])
    const { slots } = this.#factory
    return decide({ shelves: [...views.values()], inTurn, budget: this.budget, slots, mode: this.#parts.mode })
  }

  #views(now: number): Map<string, ShelfView> {
    return new Map([...this.#shelves].map(([key, shelf]) => [key, shelf.view(now, this.waiting(key))]))
  }

  /** Returns whether there may be more to do. */
  #perform(step: Step): boolean {
    if (step.kind === 'rest') return false
    if (step.kind === 'give way') {
      for (const way of step.ways) this.#giveWay(way)
      return true
    }
    const shelf = this.#shelves.get(step.key) as Shelf
    if (step.kind === 'build') this.#factory.buildEdition(shelf, shelf.edition)
    else if (step.kind === 'park') this.#factory.park(shelf, shelf.edition)
    else this.#factory.make(shelf, shelf.edition)
    return true
  }

  #giveWay({ key, level, count }: GiveWay): void {
    const shelf = this.#shelves.get(key) as Shelf
    for (let left = count; left > 0; left--) {
      const stocks = shelf.editions.map((edition): Stocked<{ destroy(): Promise<void> }>[] => edition[level])
      const stock = stocks.find(({ length }) => length > 0)
      if (stock?.[0] !== undefined) void this.#disposal.discard(stock, stock[0])
    }
  }

  /** Gives up makings that nobody waits for any more and no stock has a place for, the youngest first. */
  async #trimMakings(shelf: Shelf): Promise<void> {
    const target = this.#targetOf(shelf)
    const forLine = lineDemand({ waiting: this.waiting(shelf.key), target }, this.#parts.mode)
    const forStock = Math.max(0, target - shelf.edition.warm.length)
    const surplus = [...shelf.makings].slice(forLine + forStock)
    for (const { abort } of surplus) abort.abort(new Error('nobody waits for it any more'))
    await Promise.all(surplus.map(({ done }) => done))
  }

  #targetOf(shelf: Shelf): number {
    return this.#draining ? 0 : shelf.targetAt(performance.now())
  }

  /** Lets a stock shrink that is above its target, and forgets what is over: editions of which nothing is left, shelves that nobody needs. */
  #tidy(shelf: Shelf): void {
    const target = this.#targetOf(shelf)
    const { edition, old } = shelf
    if (edition.warm.length > target) void this.trim(shelf)
    if (edition.warm.length >= target) for (const one of old) this.retire(one, 'nothing')
    for (const one of old.filter(({ gone }) => gone)) old.splice(old.indexOf(one), 1)
    const idle = edition.gone && edition.building === undefined && old.length + this.waiting(shelf.key) === 0
    if (idle && (shelf.retired || edition.tenant !== undefined)) this.#shelves.delete(shelf.key)
  }

  /** Looks again when the rest of some shelf is over, or its target may fall: as seen from the last decision, or what ended since would be missed. */
  #setAlarm(): void {
    this.#alarm.clear()
    this.#lookBy(Math.min(...[...this.#shelves.values()].map((shelf) => shelf.changesAt(this.#decidedAt))))
  }

  #lookBy(time: number): void {
    if (!this.closing.aborted) this.#alarm.by(time)
  }
}
