// What every contender is: something a user would run a program with instead of a microVM, behind one interface.
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { outputOf, timedProgram } from './program.mjs'

/**
 * @typedef {object} Recipe
 * @property {string} name
 * @property {string} what One line: what is run.
 * @property {string} [debianPackage]
 * @property {string} [program] Must be on the PATH.
 * @property {boolean} [needsRoot]
 * @property {(place: Place) => Promise<void>} [prepare]
 * @property {(place: Place, number: number) => [string, string[], object?]} command What one run is: create, `true`, remove. `number` is new each time.
 * @property {(place: Place) => Promise<void>} [cleanup]
 *
 * @typedef {{ hostDirectory: string, hostRootPath: string }} Place A directory of the contender's own, and a busybox root.
 */

export class Contender {
  /** Why it takes no part (any more). */
  reason
  #recipe
  #place
  #program
  #runs = 0

  /** @param {Recipe} recipe */
  constructor(recipe) {
    this.#recipe = recipe
    this.name = recipe.name
    this.what = recipe.what
    this.debianPackage = recipe.debianPackage
    this.version = process.version
  }

  get takesPart() {
    return this.reason === undefined
  }

  drop(reason) {
    this.reason ??= reason
  }

  /** Whether it can run on this host; `reason` says why not. */
  async available() {
    const { program, needsRoot } = this.#recipe
    if (program) {
      const said = await outputOf(program, ['--version'])
      if (said === undefined) this.drop(`${program} is not installed`)
      this.version = said?.split('\n')[0].replace(/^\S+ (version )?/, '')
    }
    if (needsRoot && process.getuid() !== 0) this.drop('needs root')
    return this.takesPart
  }

  /** Makes what every run shares, and proves with one run that it works: a contender that cannot run is out, with its own words. */
  async prepare(hostDirectory, hostRootPath) {
    this.#place = { hostDirectory: join(hostDirectory, this.name), hostRootPath }
    try {
      await mkdir(this.#place.hostDirectory)
      this.#program = timedProgram(join(this.#place.hostDirectory, 'stderr'))
      await this.#recipe.prepare?.(this.#place)
      await this.run()
    } catch (error) {
      this.drop(error.message)
    }
  }

  /** One create + `true` + remove. */
  run() {
    return this.#program.run(...this.#recipe.command(this.#place, this.#runs++))
  }

  /** That many at once, until the last has ended. */
  async burst(count) {
    const outcomes = await Promise.allSettled(Array.from({ length: count }, () => this.run()))
    const failed = outcomes.filter(({ status }) => status === 'rejected')
    if (failed.length > 0) throw new Error(`${failed.length} of ${count} at once failed: ${failed[0].reason.message}`)
  }

  async cleanup() {
    if (!this.#place) return
    await this.#recipe.cleanup?.(this.#place)
    this.#program?.close()
    await rm(this.#place.hostDirectory, { recursive: true, force: true })
  }
}
