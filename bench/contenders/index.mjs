// Who takes part: every contender that this host has, prepared, and removed without a trace at the end.
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeBusyboxRoot } from './busybox-root.mjs'
import { bwrap } from './bwrap.mjs'
import { Contender } from './contender.mjs'
import { crun, runc } from './oci.mjs'
import { podman } from './podman.mjs'
import { spawn } from './spawn.mjs'

const recipes = [spawn, bwrap, crun, runc, podman]

/** What `--install` installs. */
export const debianPackages = ['busybox-static', ...recipes.flatMap(({ debianPackage }) => debianPackage ?? [])]

export class Contenders {
  #all = recipes.map((recipe) => new Contender(recipe))
  #hostRootPath

  async prepare(hostDirectory) {
    this.#hostRootPath = join(hostDirectory, 'busybox-root')
    await mkdir(this.#hostRootPath)
    const lacksRoot = await makeBusyboxRoot(this.#hostRootPath).then(
      () => undefined,
      (error) => error.message,
    )
    for (const contender of this.#all) {
      if (lacksRoot && contender.name !== 'spawn') contender.drop(lacksRoot)
      if (await contender.available()) await contender.prepare(hostDirectory, this.#hostRootPath)
    }
  }

  /** Those of these names that still take part, in their own order. */
  of(...names) {
    return this.#all.filter(({ name, takesPart }) => takesPart && names.includes(name))
  }

  /** For the report: everybody, and why somebody is missing. */
  describe() {
    return this.#all.map(({ name, what, version, reason }) => ({ name, what, version: version ?? null, reason: reason ?? null }))
  }

  async cleanup() {
    const outcomes = await Promise.allSettled(this.#all.map((contender) => contender.cleanup()))
    await rm(this.#hostRootPath, { recursive: true, force: true })
    return outcomes.flatMap(({ reason }) => reason?.message ?? [])
  }
}
