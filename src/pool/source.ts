/** Where a pool's machines come from: what it needs to know of templates and microVMs, and no more. */

import type { Machine, ParkedMachine } from '../machine/index.ts'
import type { BuildOptions, Snapshot, Template } from '../template/index.ts'

export interface MachineSource {
  /**
   * The template with what its container image says, pulled and made a disk first where that has not been done; one without an image as it is.
   *
   * @throws `IMAGE`, `INVALID_ARGUMENT`, `HOST_UNSUPPORTED`, or the signal's reason.
   */
  rooted(template: Template, options: BuildOptions): Promise<Template>
  /**
   * The snapshot of a template: found, or built first. Many callers at once, in this process or in others, get one build.
   *
   * @throws `BOOT_FAILED` when it cannot be built (a setup command failed; its log's end is in the message), `HOST_UNSUPPORTED` when there is no room
   * for it, `IMAGE`, or the signal's reason.
   */
  snapshot(template: Template, options: BuildOptions): Promise<Snapshot>
  /** Looks whether the snapshot is still what it was, after a clone of it failed. @throws `TEMPLATE_CORRUPT`; the next `snapshot` builds it anew. */
  verify(snapshot: Snapshot): Promise<void>
  /** A process that waits to become a clone. @throws `BOOT_FAILED`, or the signal's reason. */
  park(snapshot: Snapshot, id: string, signal: AbortSignal): Promise<ParkedMachine>
  /** A machine that shares nothing, for `sharing: 'none'`. @throws `BOOT_FAILED`, `IMAGE`, or the signal's reason. */
  boot(template: Template, id: string, signal: AbortSignal): Promise<Machine>
}
