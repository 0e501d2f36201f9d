/** Counting who waits, boots and has a sandbox, by template and by tenant. */

import { type PoolStats, Sample } from './stats.ts'

interface TenantCount {
  assigned: number
  waiting: number
  rejected: number
}

/** What belongs to no tenant is counted under this name, which no tenant can have. */
const nobody = ''

export class Census {
  #waiting = 0
  #booting = 0
  #assigned = 0
  #misses = 0
  #bootFailures = 0
  readonly #createMs = new Sample()
  readonly #templates = new Map<string, { warm: number; booting: number; assigned: number }>()
  readonly #tenants = new Map<string, TenantCount>()

  /** A create stands in line; it then boots, and in the end leaves, served or not. */
  waits(template: string, tenant: string | undefined): { boots: () => void; leaves: () => void } {
    const byTemplate = this.#template(template)
    const byTenant = this.#tenant(tenant)
    let place: 'line' | 'boot' = 'line'
    this.#waiting++
    byTenant.waiting++
    const leaveLine = (): void => {
      this.#waiting--
      byTenant.waiting--
    }
    return {
      boots: () => {
        leaveLine()
        place = 'boot'
        this.#booting++
        byTemplate.booting++
      },
      leaves: () => {
        if (place === 'line') leaveLine()
        else {
          this.#booting--
          byTemplate.booting--
        }
        this.#forget(tenant)
      },
    }
  }

  /** A tenant has a sandbox, until the returned function is called. */
  assigned(template: string, tenant: string | undefined, createMs: number): () => void {
    const byTemplate = this.#template(template)
    const byTenant = this.#tenant(tenant)
    this.#createMs.add(createMs)
    this.#misses++
    for (const count of [byTemplate, byTenant]) count.assigned++
    this.#assigned++
    return () => {
      for (const count of [byTemplate, byTenant]) count.assigned--
      this.#assigned--
      this.#forget(tenant)
    }
  }

  rejected(tenant: string | undefined): void {
    this.#tenant(tenant).rejected++
    this.#forget(tenant)
  }

  bootFailed(): void {
    this.#bootFailures++
  }

  stats(): PoolStats {
    return {
      warm: 0,
      booting: this.#booting,
      assigned: this.#assigned,
      waiting: this.#waiting,
      hits: 0,
      misses: this.#misses,
      bootFailures: this.#bootFailures,
      createMs: this.#createMs.quantiles(),
      byTemplate: Object.fromEntries([...this.#templates].map(([name, count]) => [name, { ...count }])),
      byTenant: Object.fromEntries(
        [...this.#tenants].filter(([name]) => name !== nobody).map(([name, count]) => [name, { ...count }]),
      ),
    }
  }

  #template(name: string): { warm: number; booting: number; assigned: number } {
    return getOrAdd(this.#templates, name, () => ({ warm: 0, booting: 0, assigned: 0 }))
  }

  #tenant(tenant: string | undefined): TenantCount {
    return getOrAdd(this.#tenants, tenant ?? nobody, () => ({ assigned: 0, waiting: 0, rejected: 0 }))
  }

  /** Tenants come and go for as long as the pool lives: one with nothing, and nothing refused, is not kept. */
  #forget(tenant: string | undefined): void {
    const { assigned, waiting, rejected } = this.#tenant(tenant)
    if (assigned + waiting + rejected === 0) this.#tenants.delete(tenant ?? nobody)
  }
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}
