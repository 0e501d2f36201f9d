/** Counting what has happened, and who has what. */

import type { FailureReason } from './maker.ts'
import { type PoolStats, Sample, type TemplateStats } from './stats.ts'

interface TenantCount {
  assigned: number
  waiting: number
  rejected: number
}

/** What belongs to no tenant is counted under this name, which no tenant can have. */
const nobody = ''

/** Tenants that have nothing but refusals are remembered so many, the latest: whoever makes names up must not fill the memory. */
const refusedTenantsMax = 1_000

/** Failures that are lost makings; the rest was lost later. */
const makings: ReadonlySet<FailureReason> = new Set<FailureReason>(['build', 'park', 'clone', 'boot', 'exercise'])

export class Census {
  #hits = 0
  #misses = 0
  #bootFailures = 0
  readonly #failures: Partial<Record<FailureReason, number>> = {}
  readonly #createMs = new Sample()
  readonly #firstExecMs = new Sample()
  /** Sandboxes by template. */
  readonly #assigned = new Map<string, number>()
  readonly #tenants = new Map<string, TenantCount>()
  /** Tenants with nothing but refusals, the one refused last at the end. */
  readonly #refused = new Set<string>()

  /** A create is under way until the returned function is called. */
  waits(tenant: string | undefined): () => void {
    this.#tenant(tenant).waiting++
    return () => {
      this.#tenant(tenant).waiting--
      this.#forget(tenant)
    }
  }

  /** A tenant has a sandbox, until the returned function is called. */
  assigned(template: string, tenant: string | undefined, warm: boolean, createMs: number): () => void {
    this.#createMs.add(createMs)
    if (warm) this.#hits++
    else this.#misses++
    this.#tenant(tenant).assigned++
    this.#assigned.set(template, (this.#assigned.get(template) ?? 0) + 1)
    return () => {
      this.#tenant(tenant).assigned--
      this.#assigned.set(template, (this.#assigned.get(template) ?? 1) - 1)
      this.#forget(tenant)
    }
  }

  firstExec(ms: number): void {
    this.#firstExecMs.add(ms)
  }

  rejected(tenant: string | undefined): void {
    this.#tenant(tenant).rejected++
    this.#forget(tenant)
  }

  /** Returns whether it was a making. */
  failed(reason: FailureReason): boolean {
    this.#failures[reason] = (this.#failures[reason] ?? 0) + 1
    if (makings.has(reason)) this.#bootFailures++
    return makings.has(reason)
  }

  /** With what the supply has of each template. */
  stats(supplied: ReadonlyMap<string, Omit<TemplateStats, 'assigned'>>): PoolStats {
    const names = new Set([...supplied.keys(), ...this.#assigned.keys()])
    const total: TemplateStats = { ...empty }
    const byTemplate = [...names].map((name): [string, TemplateStats] => {
      const one = { ...empty, ...supplied.get(name), assigned: this.#assigned.get(name) ?? 0 }
      for (const key of Object.keys(total) as (keyof TemplateStats)[]) total[key] += one[key]
      return [name, one]
    })
    return {
      ...total,
      hits: this.#hits,
      misses: this.#misses,
      bootFailures: this.#bootFailures,
      failures: { ...this.#failures },
      createMs: this.#createMs.quantiles(),
      firstExecMs: this.#firstExecMs.quantiles(),
      byTemplate: Object.fromEntries(byTemplate),
      byTenant: Object.fromEntries(
        [...this.#tenants].filter(([name]) => name !== nobody).map(([name, count]) => [name, { ...count }]),
      ),
    }
  }

  #tenant(tenant: string | undefined): TenantCount {
    const name = tenant ?? nobody
    const known = this.#tenants.get(name)
    if (known !== undefined) return known
    const made = { assigned: 0, waiting: 0, rejected: 0 }
    this.#tenants.set(name, made)
    return made
  }

  /** Tenants come and go for as long as the pool lives: one with nothing, and nothing refused lately, is not kept. */
  #forget(tenant: string | undefined): void {
    const name = tenant ?? nobody
    const { assigned, waiting, rejected } = this.#tenant(tenant)
    this.#refused.delete(name)
    if (assigned + waiting > 0) return
    if (rejected === 0) this.#tenants.delete(name)
    else this.#refused.add(name)
    const [oldest] = this.#refused
    if (this.#refused.size <= refusedTenantsMax || oldest === undefined) return
    this.#refused.delete(oldest)
    this.#tenants.delete(oldest)
  }
}

const empty: TemplateStats = { warm: 0, parked: 0, booting: 0, assigned: 0, waiting: 0 }
