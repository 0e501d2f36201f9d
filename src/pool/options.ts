/** What callers may say about a pool and a sandbox: types, meaning, and the checks on them. */

import { z } from 'zod'
import { definedOnly } from '../common/defined.ts'
import { abortSignal, assertValid, callback, callShape, durationMs, environment, plainText, whole } from '../common/validate.ts'
import { WarmcellError } from '../errors.ts'
import type { Isolation } from '../hypervisor/index.ts'
import { type Registries, registriesSchema } from '../image/index.ts'
import type { Env, Resources, TemplateSpec, WarmTarget } from '../template/index.ts'
import type { TargetBounds } from './target.ts'
import type { TenantsOption } from './tenants.ts'

export interface CreateSandboxOptions {
  /** Which template, by name. Default `base`. */
  template?: string
  /** Whose code this is. Bound for life. */
  tenant?: string
  /** Over the template's variables. */
  env?: Env
  cwd?: string
  user?: string
  /**
   * What it may use, each at most what its template has (default: that): `vcpus` also in parts, from 0.1, as a share of the processor's time; `memoryMib`, from 8, is
   * what its programs may hold together with the files they write; `diskMib`; `pids`. For the rest of its life. The budget counts it as its template.
   */
  resources?: Resources
  /** Yours: comes back in `info()` and filters `listSandboxes`. */
  metadata?: Record<string, string>
  /** Lifetime in milliseconds. Default: none, the owner destroys. */
  timeoutMs?: number
  /** Time without activity, in milliseconds: without a command that runs, a file under way, or a byte through a terminal or a port. Default: none. */
  idleTimeoutMs?: number
  /** Written before the sandbox is handed over, by path (absolute, or from `cwd`), owned by its user, mode 0644; parents are made. */
  files?: Record<string, string | Uint8Array>
  /** Gives up the creation; nothing is left behind. */
  signal?: AbortSignal
}

export interface PoolOptions {
  /** What can be created, by name. `base` always exists: the built-in root with every default, unless given here. */
  templates?: Record<string, TemplateSpec>
  /** Hard caps for the whole pool, warm microVMs included. Default: three quarters of the memory that is available now, and 64 sandboxes a core. */
  budget?: { memoryMib?: number; sandboxes?: number }
  /**
   * What a create does when nothing of its template is warm. 'boot' (default) has one made for it, and waits in line where the budget has no room for one.
   * 'wait' waits in line for what is made for stock anyway; at least one is made while somebody waits. 'fail' rejects with `POOL_EXHAUSTED` at once; of a
   * template that keeps no warm stock one is made if there is room.
   */
  onExhausted?: 'boot' | 'wait' | 'fail'
  /** How long a create may stand in line, in milliseconds; then it rejects with `POOL_EXHAUSTED`. Default: as long as it takes. */
  acquireTimeoutMs?: number
  /** Caps and weights by tenant; `default` applies to each one without an entry, and to creates without a tenant. Default: none, and all weigh the same. */
  tenants?: TenantsOption
  /** Under the options of every `createSandbox`. */
  defaults?: Omit<CreateSandboxOptions, 'signal' | 'tenant'>
  /** Host directory for what outlives the process. Default `$XDG_STATE_HOME/warmcell`, `~/.local/state/warmcell`. */
  stateDir?: string
  hypervisor?: 'auto' | 'qemu'
  /**
   * 'hardware' (default) refuses to run without an accelerator under which a guest has booted. 'emulated' runs anywhere, many times slower,
   * and is no security boundary: development only. `WARMCELL_ISOLATION` says it where the option does not.
   */
  isolation?: Isolation
  /**
   * What is to hold a microVM's process on the host, behind the guest's own kernel, should it be taken over. 'default' holds it by everything that this host offers; what
   * is missing is said in `info()`, in `doctor`, and once as a warning. 'strict' refuses to run when anything is.
   */
  confinement?: 'default' | 'strict'
  /**
   * What is to be known of registries from which container images are pulled, by name as references say it. Default: what the JSON file says that `WARMCELL_REGISTRIES` names.
   * Credentials are also those that `docker login` and `podman login` have stored.
   */
  registries?: Registries
}

const name = plainText.refine((text) => text !== '', 'expected a name')
const fileData = z.union([z.string(), z.instanceof(Uint8Array)], { error: 'expected a string or a Uint8Array' })

const share = 'expected virtual processors from 0.1 to 16'

const lateBound = {
  template: name.optional(),
  env: environment.optional(),
  cwd: plainText.optional(),
  user: name.optional(),
  resources: z
    .strictObject({
      vcpus: z.number(share).min(0.1, share).max(16, share).optional(),
      memoryMib: whole(8, 65_536, 'MiB').optional(),
      diskMib: whole(1, 65_536, 'MiB').optional(),
      pids: whole(8, 32_768, 'processes').optional(),
    })
    .optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  timeoutMs: durationMs.optional(),
  idleTimeoutMs: durationMs.optional(),
  files: z.record(name, fileData).optional(),
}
const createSchema = z.strictObject({ ...lateBound, tenant: name.optional(), signal: abortSignal.optional() })
const closeSchema = z.strictObject({
  mode: z.enum(['drain', 'destroy'], { error: "expected 'drain' or 'destroy'" }).optional(),
  timeoutMs: durationMs.optional(),
})
/** Far more than a host can have: what is above it is a mistake. */
const warmMax = 100_000

const warmCount = whole(0, warmMax, 'microVMs')
const warmSchema = z.union(
  [warmCount, z.strictObject({ min: warmCount, max: warmCount }).refine(({ min, max }) => min <= max, 'min is more than max')],
  { error: `expected a whole number of microVMs from 0 to ${warmMax}, or { min, max } of such with min ≤ max` },
)
const readySchema = z.strictObject({
  template: name.optional(),
  count: warmCount.optional(),
  ...callShape,
})
const updateSchema = z.strictObject({
  ...callShape,
  onEvent: callback.optional(),
})
const tenantSchema = z.strictObject({
  sandboxes: whole(0, 100_000, 'sandboxes').optional(),
  createsPerMinute: whole(1, 100_000, 'creates').optional(),
  weight: z
    .number({ error: 'expected a number' })
    .gt(0, 'expected a number above 0')
    .max(1_000, 'expected a number up to 1,000')
    .optional(),
})
const poolSchema = z.strictObject({
  templates: z.record(name, z.unknown()).optional(),
  budget: z
    .strictObject({ memoryMib: whole(1, 2 ** 31, 'MiB').optional(), sandboxes: whole(1, 100_000, 'sandboxes').optional() })
    .optional(),
  onExhausted: z.enum(['boot', 'wait', 'fail'], { error: "expected 'boot', 'wait' or 'fail'" }).optional(),
  acquireTimeoutMs: durationMs.optional(),
  tenants: z.record(name, tenantSchema.optional()).optional(),
  defaults: z.strictObject(lateBound).optional(),
  stateDir: name.optional(),
  hypervisor: z.enum(['auto', 'qemu'], { error: "expected 'auto' or 'qemu'" }).optional(),
  isolation: z.enum(['hardware', 'emulated'], { error: "expected 'hardware' or 'emulated'" }).optional(),
  confinement: z.enum(['default', 'strict'], { error: "expected 'default' or 'strict'" }).optional(),
  registries: registriesSchema.optional(),
})

/** @throws `INVALID_ARGUMENT` */
export function assertPoolOptions(options: PoolOptions): void {
  assertValid(poolSchema, options, 'createPool')
}

/** @throws `INVALID_ARGUMENT` */
export function assertCloseOptions(options: unknown): void {
  assertValid(closeSchema, options, 'close')
}

/** @throws `INVALID_ARGUMENT` */
export function assertReadyOptions(options: unknown): void {
  assertValid(readySchema, options, 'ready')
}

/** @throws `INVALID_ARGUMENT` */
export function assertUpdateOptions(options: unknown): void {
  assertValid(updateSchema, options, 'updateTemplate')
}

/** @throws `INVALID_ARGUMENT` */
export function boundsOf(warm: WarmTarget): TargetBounds {
  assertValid(warmSchema, warm, 'resize')
  return typeof warm === 'number' ? { min: warm, max: warm } : { min: warm.min, max: warm.max }
}

/** @throws `INVALID_ARGUMENT` */
export function assertCreateOptions(options: CreateSandboxOptions): void {
  assertValid(createSchema, options, 'createSandbox')
}

/** The options of one create over the pool's defaults: objects are merged, the rest is replaced. */
export function withDefaults(defaults: CreateSandboxOptions, given: CreateSandboxOptions): CreateSandboxOptions {
  return {
    ...definedOnly(defaults),
    ...definedOnly(given),
    env: { ...defaults.env, ...given.env },
    resources: { ...defaults.resources, ...definedOnly(given.resources ?? {}) },
    metadata: { ...defaults.metadata, ...given.metadata },
    files: { ...defaults.files, ...given.files },
  }
}

/**
 * The isolation asked for, by option or by `WARMCELL_ISOLATION`.
 *
 * @throws `INVALID_ARGUMENT` when the variable says something else.
 */
export function wantedIsolation(options: PoolOptions = {}): Isolation {
  const wanted = options.isolation ?? (process.env.WARMCELL_ISOLATION || 'hardware')
  if (wanted === 'hardware' || wanted === 'emulated') return wanted
  throw new WarmcellError('INVALID_ARGUMENT', `WARMCELL_ISOLATION is '${wanted}'.`, {
    hint: "Set it to 'hardware' or 'emulated'.",
  })
}
