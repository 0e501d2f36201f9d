/** What can be created, by name, and how one template takes the place of another. */

import { type CallOptions, callOptionsOf, withDeadline } from '../common/deadline.ts'
import { linkedSignal } from '../common/linked-signal.ts'
import { WarmcellError } from '../errors.ts'
import { type BuildEvent, resolveTemplate, type Template, type TemplateInfo, type TemplateSpec } from '../template/index.ts'
import { type Built, Edition } from './edition.ts'
import { Shelf } from './shelf.ts'
import type { Supply } from './supply.ts'
import type { TargetBounds } from './target.ts'

export interface UpdateOptions extends CallOptions {
  /** What the build is doing, and what its setup prints. */
  onEvent?: (event: BuildEvent) => void
}

export interface ReadyOptions extends CallOptions {
  /** Default: all that keep stock. */
  template?: string
  /** How many are to be warm. Default: the target. */
  count?: number
}

interface Entry {
  readonly template: Template
  /** Part of its shelves' keys: one that is made in another way gets new shelves. */
  readonly generation: number
}

export class Offerings {
  readonly #supply: Supply
  readonly #entries = new Map<string, Entry>()
  /** The last update of each name that has not ended. */
  readonly #updates = new Map<string, Promise<unknown>>()

  constructor(supply: Supply, templates: ReadonlyMap<string, Template>) {
    this.#supply = supply
    for (const template of templates.values()) this.#enter({ template, generation: 0 })
  }

  get names(): string[] {
    return [...this.#entries.keys()]
  }

  /** @throws `INVALID_ARGUMENT` when there is no such template. */
  shelfOf(name: string, tenant: string | undefined, call: string): Shelf {
    const entry = this.#entries.get(name)
    if (entry === undefined) {
      throw new WarmcellError('INVALID_ARGUMENT', `${call}: there is no template '${name}'.`, {
        hint: `This pool has: ${this.names.join(', ')}.`,
      })
    }
    const key = keyOf(entry, tenant)
    return this.#supply.shelves.get(key) ?? this.#supply.add(new Shelf(key, entry.template, ownerOf(entry, tenant)))
  }

  /**
   * The shelf of a template that keeps stock.
   *
   * @throws `INVALID_ARGUMENT` when there is no such template, or none that can.
   */
  stockOf(name: string, call: string): Shelf {
    const shelf = this.shelfOf(name, undefined, call)
    if (shelf.edition.template.sharing === 'global') return shelf
    const { sharing } = shelf.edition.template
    throw new WarmcellError('INVALID_ARGUMENT', `${call}: template '${name}' keeps no warm stock.`, {
      hint: `Its sharing is '${sharing}': only what is shared by all tenants ('global') can wait for any of them.`,
    })
  }

  /** Resolves when `count` of the template are warm, or its target, or those of all. @throws as `Pool.ready`. */
  async ready({ template, count, signal, timeoutMs }: ReadyOptions): Promise<void> {
    const wanted = (template === undefined ? this.names : [template])
      .map((name) => this.shelfOf(name, undefined, 'ready'))
      // One that keeps no stock is built only when it is asked for by name.
      .filter((shelf) => template !== undefined || shelf.stocked)
      .map((shelf) => ({ shelf, enough: this.#enough(shelf, count) }))
    for (const { shelf } of wanted) {
      shelf.wanted = shelf.edition.template.sharing === 'global'
      // Whoever asks wants to know now, not when the next try would have come.
      shelf.backoff.succeeded()
    }
    const holds = (): boolean =>
      wanted.every(({ shelf, enough }) => shelf.retired || (shelf.warm >= enough && (shelf.edition.built || !shelf.wanted)))
    const concerns = (key: string): boolean => wanted.some(({ shelf }) => shelf.key === key)
    await this.#withDeadline('Filling the stock', { signal, timeoutMs }, async (inner) => {
      const held = this.#supply.conditions.until(holds, concerns, inner)
      this.#supply.pump()
      await held
    })
  }

  /** @throws `INVALID_ARGUMENT` when there will never be so many. */
  #enough(shelf: Shelf, count: number | undefined): number {
    const { max } = shelf.target.bounds
    const possible = Math.min(max, this.#supply.budget.holds(shelf.edition.cost))
    if (count !== undefined && count > possible) throw tooMany(shelf.name, count, max, possible)
    const now = performance.now()
    if (count !== undefined) shelf.target.expect(count, now)
    return Math.min(count ?? shelf.targetAt(now), possible)
  }

  async resize(name: string, bounds: TargetBounds): Promise<void> {
    const shelf = this.stockOf(name, 'resize')
    shelf.target.bounds = bounds
    await this.#supply.trim(shelf)
    this.#supply.pump()
  }

  /** Concurrent updates of one name run one after the other. @throws as `Pool.updateTemplate`. */
  async update(name: string, spec: TemplateSpec, options: UpdateOptions): Promise<TemplateInfo> {
    const template = resolveTemplate(name, spec)
    const { signal, timeoutMs, onEvent } = options
    return this.#withDeadline(`The update of template '${name}'`, { signal, timeoutMs }, async (inner) => {
      const before = this.#updates.get(name)
      const update = (async () => {
        await before?.catch(() => {})
        return this.#replace(template, inner, onEvent)
      })()
      this.#updates.set(name, update)
      try {
        return await update
      } finally {
        if (this.#updates.get(name) === update) this.#updates.delete(name)
      }
    })
  }

  /** Ends with the call's own end, or with the pool's. */
  #withDeadline<T>(
    what: string,
    options: { [K in keyof CallOptions]: CallOptions[K] | undefined },
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return withDeadline(what, callOptionsOf(options), async (inner) => {
      const linked = linkedSignal([inner, this.#supply.closing])
      try {
        return await work(linked.signal)
      } finally {
        linked.unlink()
      }
    })
  }

  async #replace(template: Template, signal: AbortSignal, onEvent: UpdateOptions['onEvent']): Promise<TemplateInfo> {
    signal.throwIfAborted()
    const { name, sharing } = template
    // Until this is there, everything is as it was.
    const built = sharing === 'global' ? await this.#supply.build(template, { signal, ...(onEvent && { onEvent }) }) : undefined
    signal.throwIfAborted()
    const before = this.#entries.get(name)
    const left =
      built !== undefined && before?.template.sharing === 'global'
        ? this.#roll(before, template, built)
        : this.#swap(before, template, built)
    const snapshot = built?.snapshot
    this.#supply.pump()
    await this.#supply.conditions.until(left, () => false, signal)
    await this.#supply.settled()
    return {
      name,
      digest: snapshot?.digest ?? '',
      sizeBytes: snapshot?.sizeBytes ?? 0,
      createdAt: snapshot?.createdAt ?? new Date(),
    }
  }

  /** On the same shelf: what is warm of the old edition serves until the new one's has taken its place. Returns whether nothing old is left. */
  #roll(entry: Entry, template: Template, built: Built): () => boolean {
    const shelf = this.shelfOf(template.name, undefined, 'updateTemplate')
    const old = shelf.edition
    const next = new Edition(template)
    next.adopt(built)
    shelf.roll(next)
    shelf.target.bounds = template.warm
    shelf.backoff.succeeded()
    this.#supply.retire(old, 'warm')
    this.#entries.set(template.name, { ...entry, template })
    return () => !shelf.old.includes(old)
  }

  /** On shelves of its own; those before serve who waits at them, and go. */
  #swap(before: Entry | undefined, template: Template, built: Built | undefined): () => boolean {
    const retiring = [...this.#supply.shelves.values()].filter(({ name }) => name === template.name)
    for (const shelf of retiring) {
      shelf.retired = true
      void this.#supply.trim(shelf)
    }
    const entry = { template, generation: (before?.generation ?? -1) + 1 }
    this.#enter(entry)
    const shelf = this.#supply.shelves.get(keyOf(entry, undefined))
    if (built !== undefined) shelf?.edition.adopt(built)
    return () => retiring.every(({ key }) => !this.#supply.shelves.has(key))
  }

  #enter(entry: Entry): void {
    this.#entries.set(entry.template.name, entry)
    // A tenant's own shelf is made when it comes.
    if (entry.template.sharing !== 'tenant') this.shelfOf(entry.template.name, undefined, 'createPool')
  }
}

/** What no name can hold keeps the parts apart. */
function keyOf(entry: Entry, tenant: string | undefined): string {
  const { template, generation } = entry
  const owner = template.sharing === 'tenant' ? `\0${tenant === undefined ? '' : `:${tenant}`}` : ''
  return `${template.name}\0${generation}${owner}`
}

function ownerOf({ template }: Entry, tenant: string | undefined): string | undefined {
  // A create without a tenant has a snapshot of its own among the tenants', under a name that none of them can have.
  return template.sharing === 'tenant' ? (tenant ?? '') : undefined
}

function tooMany(name: string, count: number, max: number, possible: number): WarmcellError {
  const what = `ready: ${count} of '${name}' are never warm at once`
  if (possible < max) {
    return new WarmcellError('INVALID_ARGUMENT', `${what}: the budget holds ${possible}.`, { hint: 'Raise the budget.' })
  }
  return new WarmcellError('INVALID_ARGUMENT', `${what}: its target is ${max}.`, {
    hint: `Raise it first: resize('${name}', ${count}).`,
  })
}
