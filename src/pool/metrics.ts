/** A pool's numbers for Prometheus. */

import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { SandboxInfo } from '../sandbox/index.ts'
import type { BudgetLimits } from './budget.ts'
import type { FailureReason } from './maker.ts'
import type { PoolStats, TemplateStats } from './stats.ts'
import type { TenantRefusal } from './tenants.ts'

/** Why a create was turned away. */
type Rejection = TenantRefusal | 'exhausted' | 'deadline'

/** From one millisecond, which is a warm one under an accelerator, to a minute in line. */
const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** What a look at the pool gives. */
export interface MetricsView {
  readonly stats: PoolStats
  readonly budget: { readonly used: BudgetLimits; readonly limits: BudgetLimits }
}

const gauges: Readonly<Record<keyof TemplateStats, string>> = {
  warm: 'MicroVMs that are ready and wait for a tenant.',
  parked: 'Processes that wait to become a clone.',
  booting: 'MicroVMs in the making.',
  assigned: 'Sandboxes that tenants have.',
  waiting: 'Creates in line.',
}

/** In a registry of its own: an application may have several pools, and metrics of its own. Tenants are no label: there may be any number of them. */
export class Metrics {
  readonly #registry = new Registry()
  readonly #creates: Counter<'template' | 'origin'>
  readonly #failures: Counter<'template' | 'reason'>
  readonly #rejected: Counter<'cause'>
  readonly #createSeconds: Histogram<'origin'>
  readonly #firstExecSeconds: Histogram<'origin'>

  constructor(look: () => MetricsView) {
    const registers = [this.#registry]
    for (const [key, help] of Object.entries(gauges) as [keyof TemplateStats, string][]) {
      new Gauge({
        name: `warmcell_${key === 'booting' ? 'making' : key}`,
        help,
        labelNames: ['template'],
        registers,
        collect() {
          this.reset()
          for (const [template, stats] of Object.entries(look().stats.byTemplate)) this.set({ template }, stats[key])
        },
      })
    }
    for (const which of ['used', 'limits'] as const) {
      const name = which === 'used' ? 'used' : 'limit'
      const words = which === 'used' ? 'is taken, by sandboxes, stock and what is in the making' : 'there is in all'
      const gauge = (unit: string, what: string, value: (part: BudgetLimits) => number): Gauge =>
        new Gauge({
          name: `warmcell_budget_${unit}_${name}`,
          help: `How ${what} of the budget ${words}.`,
          registers,
          collect() {
            this.set(value(look().budget[which]))
          },
        })
      gauge('memory_bytes', 'much memory', ({ memoryMib }) => memoryMib * 1_048_576)
      gauge('sandboxes', 'many sandboxes', ({ sandboxes }) => sandboxes)
    }
    this.#creates = new Counter({
      name: 'warmcell_creates_total',
      help: 'Creates that were served, by where their microVM came from.',
      labelNames: ['template', 'origin'],
      registers,
    })
    this.#failures = new Counter({
      name: 'warmcell_failures_total',
      help: 'MicroVMs and templates that were lost, by the step at which they were.',
      labelNames: ['template', 'reason'],
      registers,
    })
    this.#rejected = new Counter({
      name: 'warmcell_rejected_creates_total',
      help: 'Creates that were turned away, by cause.',
      labelNames: ['cause'],
      registers,
    })
    this.#createSeconds = new Histogram({
      name: 'warmcell_create_seconds',
      help: 'From the call of createSandbox to the sandbox.',
      labelNames: ['origin'],
      buckets: secondsBuckets,
      registers,
    })
    this.#firstExecSeconds = new Histogram({
      name: 'warmcell_first_exec_seconds',
      help: "A sandbox's first exec, from the call to its result.",
      labelNames: ['origin'],
      buckets: secondsBuckets,
      registers,
    })
  }

  created({ template, origin, createMs }: SandboxInfo): void {
    this.#creates.inc({ template, origin })
    this.#createSeconds.observe({ origin }, createMs / 1_000)
  }

  firstExec(origin: SandboxInfo['origin'], ms: number): void {
    this.#firstExecSeconds.observe({ origin }, ms / 1_000)
  }

  failed(template: string, reason: FailureReason): void {
    this.#failures.inc({ template, reason })
  }

  rejected(cause: Rejection): void {
    this.#rejected.inc({ cause })
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }
}
