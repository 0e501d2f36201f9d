/** How a microVM is made, whoever makes it: the interface that machines are built on. It knows no QEMU. */

import type { Duplex } from 'node:stream'

/** Hardware isolation is KVM on Linux and Hypervisor.framework on macOS; emulation runs anywhere and isolates nobody. */
export type Isolation = 'hardware' | 'emulated'

/** The machine that a guest finds itself in. A clone's must be its template's in every field, or the device state does not fit. */
export interface VmHardware {
  readonly isolation: Isolation
  readonly vcpus: number
  readonly memoryMib: number
  /** Whether the guest's kernel finds its devices by ACPI tables; otherwise they are named on its command line. */
  readonly acpi: boolean
  /** The root file system: a raw disk image, attached read-only as the guest's first disk. */
  readonly hostRootPath: string
}

/** What a microVM that boots is made of. Everything is data: two equal specs make two microVMs that differ in nothing but time. */
export interface VmSpec extends VmHardware {
  /** Names the microVM in messages and in the host's process list. */
  readonly id: string
  readonly hostKernelPath: string
  readonly hostInitramfsPath: string
  readonly kernelArguments: readonly string[]
  /** New files that it can be saved to. Default: it cannot be saved, and its memory is the process's own. */
  readonly savesTo?: SnapshotFiles
}

/** What a microVM is saved in. */
export interface SnapshotFiles {
  /** The guest's memory: while it runs, and afterwards. */
  readonly hostMemoryPath: string
  /** The state of the processors and devices. */
  readonly hostStatePath: string
}

/**
 * A microVM that was saved: what every clone of it is made from. Both files are only ever read: a clone maps the memory copy-on-write, reads the file's pages and
 * keeps its own changes to itself.
 */
export interface VmSnapshot extends VmHardware, SnapshotFiles {}

/** What can be told of a microVM by its process alone. */
export interface VmFacts {
  readonly id: string
  readonly isolation: Isolation
  readonly vcpus: number
  readonly memoryMib: number
  /** The file that its memory is, or is a private copy of. */
  readonly hostMemoryPath?: string
}

/** How a microVM's process ended. */
export interface VmEnd {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  /** Why it was ended, where it did not end by itself and nobody had asked for it: in place of what the two above say. */
  readonly reason?: string
}

/** The host process of a microVM. Whoever holds it ends it. */
export interface VmProcess {
  readonly pid: number
  /** Resolves when the process has ended and its pipes are closed; never rejects. */
  readonly ended: Promise<VmEnd>
  /** The last lines of the guest's console: a guest wrote them, so they are hostile, and made safe to show. */
  consoleTail(): string
  /** The last lines of the hypervisor's own log. */
  logTail(): string
  /** Ends the process with SIGKILL; resolves with `ended`. Idempotent. */
  kill(): Promise<VmEnd>
}

/** A microVM that has been started. */
export interface Vm extends VmProcess {
  /** The host's end of the guest agent's port. */
  readonly agentPipe: Duplex
  /** The guest stands still from here on and takes no processor time; its clocks go on, so that it wakes in the present. */
  pause(): void
  resume(): void
  /**
   * Stops the guest and leaves it in the files that its spec has named for that, or in those it was reopened in. They are its holder's once the process
   * has ended.
   *
   * @throws `BOOT_FAILED` in the hypervisor's own words.
   */
  save(): Promise<void>
  /** The guest goes on after it was saved, as if nothing had been; what it was saved in changes again. @throws `BOOT_FAILED` in the hypervisor's own words. */
  goOn(): Promise<void>
}

/** A hypervisor's process that has been started for a snapshot, and waits to be told to load it. */
export interface ParkedVm extends VmProcess {
  /**
   * Loads the snapshot and lets the guest run on from where it was saved.
   *
   * @throws `BOOT_FAILED` in the hypervisor's own words; the process is then of no use, and its holder's to end.
   */
  load(): Promise<Vm>
}

export interface Hypervisor {
  /** For messages, with its version: `QEMU 10.0.2`. */
  readonly name: string
  /**
   * The machine that such a microVM is, to the last detail, whatever its name and wherever its files lie: a snapshot can be loaded where the
   * description is the same.
   */
  describe(spec: VmSpec): readonly string[]
  /**
   * Starts a microVM and resolves once its hypervisor answers; the guest is then about to boot.
   *
   * @throws `BOOT_FAILED` when the process ends or does not answer; nothing is left behind.
   */
  start(spec: VmSpec, signal: AbortSignal): Promise<Vm>
  /**
   * Starts the process of a clone and resolves once it can load.
   *
   * @param id names the clone, in messages and in the host's process list
   * @throws `BOOT_FAILED` when the process ends or does not answer; nothing is left behind.
   */
  park(snapshot: VmSnapshot, id: string, signal: AbortSignal): Promise<ParkedVm>
  /**
   * Starts the process of a microVM that goes on where it was saved, and resolves once it can load. Its memory is that very file, which changes from then on; it can
   * be saved there again. Nobody else may have the files meanwhile.
   *
   * @param id names it, in messages and in the host's process list
   * @throws `BOOT_FAILED` when the process ends or does not answer; the files are still there.
   */
  reopen(snapshot: VmSnapshot, id: string, signal: AbortSignal): Promise<ParkedVm>
}
