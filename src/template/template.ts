/** What a template is: as its user says it, and with nothing left to decide. */

import { type PullPolicy, userHome } from '../image/index.ts'

/** A set of environment variables; `undefined` unsets one that a template or an option below would set. */
export type Env = Record<string, string | undefined>

/** What a microVM may use. */
export interface Resources {
  /** Virtual processors: 1 to 16. Default 1. */
  vcpus?: number
  /** The guest's memory in MiB: 96 to 65,536. Default 256. The host gives a page only when the guest first touches it. */
  memoryMib?: number
  /** The writable layer over the root in MiB: 1 to `memoryMib`, for it lives in the guest's memory. Default half of `memoryMib`. */
  diskMib?: number
  /** Processes and threads of the tenant at once: 8 to 32,768. Default 512. */
  pids?: number
}

/** How the microVMs of one template are made. */
export interface TemplateSpec {
  /**
   * The root file system: the built-in one (default), a container image, or a raw disk image (erofs, squashfs or ext4, no partition table). It is never written to.
   *
   * A container image is named as for docker and podman: `docker.io/library/python:3.12-slim`, `oci:PATH[:TAG]` for an OCI layout, `docker-archive:PATH[:NAME]` for what
   * `docker save` writes. Its environment, user, working directory, entrypoint and command hold where `env`, `user`, `cwd` and `start` do not say otherwise. With `pull: 'missing'`
   * (default) a tag that has been pulled once is not asked for again; 'always' asks the registry.
   */
  root?: 'base' | { oci: string; pull?: PullPolicy } | { hostPath: string }
  resources?: Resources
  /** Under the variables of every sandbox made from it. */
  env?: Env
  /**
   * Who runs commands: a name or `uid[:gid]` of the root file system. Default `user` (uid 1000) in the built-in root, who the image says in a container image, and else
   * `1000:1000`.
   */
  user?: string
  /** Where commands run. Default: where a container image says, or else the user's home. */
  cwd?: string
  /**
   * Run once, one after the other, by `/bin/sh -c` as root in `/`, before the snapshot is taken: install, compile, fill caches. Each must exit with 0; none has a
   * time limit.
   */
  setup?: string[]
  /**
   * Started as `user` before the snapshot is taken and left running in every clone: a string by `/bin/sh -c`, an array without a shell. What it prints is dropped. Default: the
   * entrypoint and command of a container image; `[]` starts nothing.
   */
  start?: string | string[]
  /**
   * When the snapshot may be taken, within 120 seconds of `start`: a port of the guest is listened on, a command (as `user`) exits with 0, a path exists. Default:
   * when `start` has not failed for half a second.
   */
  ready?: { port: number } | { exec: string[] } | { file: string }
  /**
   * Who answers `runCode`: by language, the port of the guest at which an interpreter that `start` leaves running listens. The first is the default. `runtimes` has
   * templates with one.
   */
  interpreters?: Readonly<Record<string, Interpreter>>
  /** How many clones wait, ready to be taken: a number, or bounds within which it follows demand. Default 0. */
  warm?: WarmTarget
  /**
   * Who may share one snapshot's memory pages, which is a side channel as every sharing of memory is: all tenants (default: a template holds no tenant's data), one tenant (a
   * snapshot each), or nobody (every sandbox boots by itself, so there is nothing to set up or start before). Only with 'global' there is warm stock.
   */
  sharing?: Sharing
}

/** A container image by its name, or by its disk once that is there. */
export type TemplateRoot =
  | 'base'
  | { readonly oci: string; readonly pull: PullPolicy }
  /** `key` is known of one that was made from an image: equal keys, equal disks. */
  | { readonly hostPath: string; readonly key?: string }

/** What answers `runCode` in one language, as protocol/runtime.md has it. */
export interface Interpreter {
  port: number
}

export type WarmTarget = number | { min: number; max: number }
export type Sharing = 'global' | 'tenant' | 'none'

/** A template with nothing left to decide but what its image has to say: until then `user`, `cwd` and `start` are empty where the spec leaves them out. */
export interface Template {
  readonly name: string
  readonly root: TemplateRoot
  readonly resources: Required<Resources>
  readonly env: Readonly<Env>
  readonly user: string
  readonly cwd: string
  readonly setup: readonly string[]
  readonly start: string | readonly string[] | undefined
  readonly ready: TemplateSpec['ready'] | undefined
  /** By language, the default first. */
  readonly interpreters: Readonly<Record<string, Readonly<Interpreter>>>
  readonly warm: { readonly min: number; readonly max: number }
  readonly sharing: Sharing
}

/** Who runs commands where nobody is named. */
export const unprivilegedUser: string = `${userHome.userId}:${userHome.userId}`

/** Whether there is a container image still to be asked. */
export function isImage(root: TemplateRoot): root is Extract<TemplateRoot, { readonly oci: string }> {
  return typeof root === 'object' && 'oci' in root
}
