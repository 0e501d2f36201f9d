/** What is measured while a soak runs: bounds that hold at every moment, and memory that does not grow over time. */

import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { vmProcesses } from '../vm/vm.ts'
import { must, type World } from './world.ts'

const mib = 1_048_576

/** What a microVM counts with beside its memory, and a parked process: docs/limits.md. */
const countsWithMib = { vm: 128 + 64, parked: 32 } as const

/** Processes that are on their way out beside those that are counted, and those that a template is built in. */
const onTheirWay = 14

/** One more than the cores of a small machine. */
const makingsAtOnce = availableParallelism() + 1

/** Between the first and the last third of the minutes: the heap after a collection, and descriptors. */
const growthMax = { heapBytes: 12 * mib, descriptors: 40 } as const

interface Minute {
  readonly heapBytes: number
  readonly residentBytes: number
  readonly descriptors: number
}

export class Gauges {
  readonly #world: World
  readonly #budget: { memoryMib: number; sandboxes: number }
  readonly #say: (line: string) => void
  readonly #times = new Map<string, number[]>()
  readonly #minutes: Minute[] = []
  #minuteAt = performance.now() + 60_000
  #done = 0
  #saidDone = 0

  constructor(world: World, budget: { memoryMib: number; sandboxes: number }, say: (line: string) => void) {
    this.#world = world
    this.#budget = budget
    this.#say = say
  }

  took(name: string, ms: number): void {
    this.#done++
    const times = this.#times.get(name) ?? []
    times.push(ms)
    this.#times.set(name, times)
  }

  /** @throws `Broken` when a bound does not hold. */
  look(): void {
    const { warm, parked, booting, assigned } = this.#world.pool.stats()
    const { sandboxes, memoryMib } = this.#budget
    const microVms = warm + booting + assigned
    // A making that was lost is still one while its snapshot is looked through, and has given its room back.
    const lostMax = this.#world.recentlyStray ? makingsAtOnce : 0
    must(microVms <= sandboxes + lostMax, `${warm} warm, ${booting} in the making and ${assigned} out are more than ${sandboxes}`)
    const counted = (microVms - lostMax) * countsWithMib.vm + parked * countsWithMib.parked
    must(counted <= memoryMib, `${microVms} microVMs and ${parked} parked count with ${counted} MiB, more than ${memoryMib}`)
    const processes = vmProcesses().length
    must(processes <= sandboxes + parked + onTheirWay, `${processes} processes, where ${microVms} and ${parked} are counted`)
    if (performance.now() >= this.#minuteAt) this.#tell(processes)
  }

  #tell(processes: number): void {
    this.#minuteAt += 60_000
    globalThis.gc?.()
    const { heapUsed: heapBytes, rss: residentBytes } = process.memoryUsage()
    const descriptors = readdirSync('/proc/self/fd').length
    this.#minutes.push({ heapBytes, residentBytes, descriptors })
    const { hits, misses, bootFailures } = this.#world.pool.stats()
    const parts = [
      `minute ${String(this.#minutes.length).padStart(3)}`,
      `${this.#done - this.#saidDone} commands`,
      `${hits + misses} served (${hits} warm)`,
      `${bootFailures} makings lost`,
      `${this.#world.lives.size} sandboxes`,
      `${processes} processes`,
      `heap ${(heapBytes / mib).toFixed(1)} MiB`,
      `resident ${Math.round(residentBytes / mib)} MiB`,
      `${descriptors} descriptors`,
    ]
    this.#saidDone = this.#done
    this.#say(parts.join(' · '))
  }

  /** @throws `Broken` when something has grown. The first minute fills caches, and is left out. */
  conclude(): void {
    const minutes = this.#minutes.slice(1)
    if (minutes.length < 3) return
    const third = Math.floor(minutes.length / 3)
    for (const name of ['heapBytes', 'descriptors'] as const) {
      const [early, late] = [minutes.slice(0, third), minutes.slice(-third)].map((part) =>
        median(part.map((minute) => minute[name])),
      )
      const grown = (late ?? 0) - (early ?? 0)
      must(grown <= growthMax[name], `${name} has grown by ${grown} over ${minutes.length} minutes`)
    }
  }

  summarize(): void {
    this.#say(`\n${'command'.padEnd(18)}${'times'.padStart(8)}${'median ms'.padStart(12)}${'longest ms'.padStart(12)}`)
    for (const [name, times] of this.#times)
      this.#say(
        `${name.padEnd(18)}${String(times.length).padStart(8)}${median(times).toFixed(0).padStart(12)}${Math.max(...times)
          .toFixed(0)
          .padStart(12)}`,
      )
    const told = [...this.#world.told].map(([code, count]) => `${code} ${count}`).join(' · ')
    const { failures } = this.#world.pool.stats()
    this.#say(`\ntold, as it should be: ${told || 'nothing'}\nlost, by step: ${JSON.stringify(failures)}\n`)
  }
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0
}
