/** What a tenant may have and ask for: its caps, its rate, its weight. */

import { WarmcellError } from '../errors.ts'

/** The caps of one tenant. What is not given is not limited. */
export interface TenantLimits {
  /** Sandboxes at once, those included that are being created or waited for. */
  sandboxes?: number
  /** Creates within any 60 seconds; refused ones do not count, failed ones do. */
  createsPerMinute?: number
  /** Its share of what is made while others wait too, compared with theirs: more than 0, up to 1,000. Default 1. */
  weight?: number
}

/** By tenant; `default` is for every tenant without an entry, and for creates without a tenant. */
export interface TenantsOption {
  default?: TenantLimits
  [tenant: string]: TenantLimits | undefined
}

export type TenantRefusal = 'tenant-sandboxes' | 'tenant-rate'

/** A tenant has reached its cap: `cause` says which. */
export class TenantLimitError extends WarmcellError {
  /** @internal */
  readonly refusal: TenantRefusal

  constructor(refusal: TenantRefusal, message: string, hint: string) {
    super('TENANT_LIMIT', message, { hint })
    this.refusal = refusal
  }
}

const minuteMs = 60_000

export class Tenants {
  readonly #limits: ReadonlyMap<string, TenantLimits>
  readonly #now: () => number
  /** How many each has of what counts towards `sandboxes`. */
  readonly #held = new Map<string | undefined, number>()
  /** The times of each one's latest creates; whoever asked last stands last. */
  readonly #rates = new Map<string | undefined, RateWindow>()

  constructor(limits: TenantsOption, now: () => number = () => performance.now()) {
    this.#limits = new Map(Object.entries(limits).flatMap(([name, limit]) => (limit ? [[name, limit]] : [])))
    this.#now = now
  }

  weightOf(tenant: string | undefined): number {
    return this.#limitsOf(tenant).weight ?? 1
  }

  /**
   * One create more. Returns what ends it: when the sandbox has ended, or the create has failed.
   *
   * @throws `TENANT_LIMIT`, which says when to try again.
   */
  enter(tenant: string | undefined): () => void {
    const { sandboxes, createsPerMinute } = this.#limitsOf(tenant)
    const held = this.#held.get(tenant) ?? 0
    const who = tenant === undefined ? 'What belongs to no tenant' : `Tenant '${tenant}'`
    if (sandboxes !== undefined && held >= sandboxes) {
      throw new TenantLimitError(
        'tenant-sandboxes',
        `${who} has ${held} sandboxes, being created or running, of the ${sandboxes} it may have.`,
        'Try again when one of them has ended.',
      )
    }
    if (createsPerMinute !== undefined) this.#count(tenant, createsPerMinute, who)
    this.#held.set(tenant, held + 1)
    let inside = true
    return () => {
      if (!inside) return
      inside = false
      const left = (this.#held.get(tenant) ?? 1) - 1
      if (left > 0) this.#held.set(tenant, left)
      else this.#held.delete(tenant)
    }
  }

  #count(tenant: string | undefined, perMinute: number, who: string): void {
    const now = this.#now()
    const window = this.#rates.get(tenant) ?? new RateWindow(perMinute)
    this.#rates.delete(tenant)
    this.#rates.set(tenant, window)
    for (const [other, { newest }] of this.#rates) {
      if (newest > now - minuteMs) break
      if (other !== tenant) this.#rates.delete(other)
    }
    const waitMs = window.admit(now)
    if (waitMs === 0) return
    throw new TenantLimitError(
      'tenant-rate',
      `${who} has created ${perMinute} sandboxes within the last minute, as many as it may.`,
      `Try again in ${Math.ceil(waitMs / 1_000)} s.`,
    )
  }

  #limitsOf(tenant: string | undefined): TenantLimits {
    return (tenant === undefined ? undefined : this.#limits.get(tenant)) ?? this.#limits.get('default') ?? {}
  }
}

/** The times of the last `max` events, in a ring: exact over any minute, where a bucket of tokens would let twice as many through. */
export class RateWindow {
  readonly #times: number[] = []
  readonly #max: number
  #at = 0
  newest: number = Number.NEGATIVE_INFINITY

  constructor(max: number) {
    this.#max = max
  }

  /** Counts one more, and returns 0; or how long to wait, in milliseconds. */
  admit(now: number): number {
    const oldest = this.#times[this.#at] ?? -Infinity
    const waitMs = oldest + minuteMs - now
    if (waitMs > 0) return waitMs
    this.#times[this.#at] = now
    this.#at = (this.#at + 1) % this.#max
    this.newest = now
    return 0
  }
}
