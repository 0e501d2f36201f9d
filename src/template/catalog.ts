/** What the outside sees of stored templates. */

import { z } from 'zod'
import { abortSignal, assertValid, callback, durationMs, plainText } from '../common/validate.ts'
import type { Isolation } from '../hypervisor/index.ts'
import { type Registries, registriesSchema } from '../image/index.ts'
import type { BuildOptions } from './snapshot.ts'
import type { TemplateSpec } from './template.ts'

export interface OpenTemplatesOptions {
  /** As the pool's. Default `$XDG_STATE_HOME/warmcell`, `~/.local/state/warmcell`. */
  stateDir?: string
  /** As the pool's: a template is for one of them. */
  isolation?: Isolation
  /** As the pool's. */
  registries?: Registries
}

/** A template that has been built. */
export interface TemplateInfo {
  /** The name it was first built under; a template with an equal spec uses the same. */
  name: string
  /** Of everything it depends on, in hex; empty where there is no common snapshot (`sharing` other than 'global'). */
  digest: string
  /** What its files take on the host. */
  sizeBytes: number
  createdAt: Date
}

export interface TemplateRecord extends TemplateInfo {
  /** How many commands of the setup it has run, where it is a stage: what a build goes on from when only what comes after them has changed. Absent in a template. */
  stage?: number
  place: 'memory' | 'disk'
  /** `stale`: it was made with another guest image, hypervisor, processor or root than are here now. `corrupt`: it cannot be read. Both are never used. */
  state: 'ready' | 'stale' | 'corrupt'
  /** Why it is not ready, as a sentence; '' when it is. */
  reason: string
  /** When it was last asked for. */
  usedAt: Date
}

export interface ListTemplatesOptions {
  /** Also the stages of their setups. Default false. */
  stages?: boolean
}

export interface PruneOptions {
  /** Remove every template, and every stage. Default: those that are stale or corrupt, and stages that nobody has asked for in seven days. */
  all?: boolean
  /** Also those, templates and stages, that nobody has asked for in so many milliseconds. */
  unusedForMs?: number
}

/** The stored templates of one state directory. Get it from `openTemplates`. */
export interface TemplateCatalog {
  /** What is stored. Digests of contents are not looked at: that happens when a template is used. */
  list(options?: ListTemplatesOptions): Promise<TemplateRecord[]>
  /**
   * Builds a template, or finds it built. A pool with a template of an equal spec then has it at once.
   *
   * @throws `INVALID_ARGUMENT`; `BOOT_FAILED` with the end of what the failing command printed; `HOST_UNSUPPORTED` when there is no room for it, or no hardware
   * isolation; `IMAGE`; the signal's reason.
   */
  build(name: string, spec?: TemplateSpec, options?: BuildOptions): Promise<TemplateInfo>
  /** Removes what is stored under a name, with its stages, or under a digest of which six digits are enough. Clones that run are not touched. Returns what was removed. */
  remove(nameOrDigest: string): Promise<TemplateRecord[]>
  /** Removes what will not be used any more, and what killed builds have left. Returns what was removed. */
  prune(options?: PruneOptions): Promise<TemplateRecord[]>
}

const nonEmpty = plainText.refine((text) => text !== '', 'expected a name')
const openSchema = z.strictObject({
  stateDir: nonEmpty.optional(),
  isolation: z.enum(['hardware', 'emulated'], { error: "expected 'hardware' or 'emulated'" }).optional(),
  registries: registriesSchema.optional(),
})
const buildSchema = z.strictObject({
  name: nonEmpty,
  tenant: nonEmpty.optional(),
  signal: abortSignal.optional(),
  onEvent: callback.optional(),
})
const listSchema = z.strictObject({ stages: z.boolean({ error: 'expected true or false' }).optional() })
const pruneSchema = z.strictObject({
  all: z.boolean({ error: 'expected true or false' }).optional(),
  unusedForMs: durationMs.optional(),
})

/** @throws `INVALID_ARGUMENT` */
export function assertOpenOptions(options: OpenTemplatesOptions): void {
  assertValid(openSchema, options, 'openTemplates')
}

/** @throws `INVALID_ARGUMENT` */
export function assertBuildOptions(name: string, options: BuildOptions): void {
  assertValid(buildSchema, { ...options, name }, 'build')
}

/** @throws `INVALID_ARGUMENT` */
export function assertListOptions(options: ListTemplatesOptions): void {
  assertValid(listSchema, options, 'list')
}

/** @throws `INVALID_ARGUMENT` */
export function assertPruneOptions(options: PruneOptions): void {
  assertValid(pruneSchema, options, 'prune')
}
