/** How a microVM is made, whoever makes it: the interface that machines are built on. It knows no QEMU. */

import type { Duplex } from 'node:stream'

/** Hardware isolation is KVM on Linux and Hypervisor.framework on macOS; emulation runs anywhere and isolates nobody. */
export type Isolation = 'hardware' | 'emulated'

/** What a microVM is made of. Everything is data: two equal specs make two microVMs that differ in nothing but time. */
export interface VmSpec {
  /** Names the microVM in messages and in the host's process list. */
  readonly id: string
  readonly isolation: Isolation
  readonly vcpus: number
  readonly memoryMib: number
  readonly hostKernelPath: string
  readonly hostInitramfsPath: string
  readonly kernelArguments: readonly string[]
  /** The root file system: a raw disk image, attached read-only as the guest's first disk. */
  readonly hostRootPath: string
}

/** How a microVM's process ended. */
export interface VmEnd {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
}

/** A microVM that has been started. Whoever holds it ends it. */
export interface Vm {
  /** The host process that is the microVM. */
  readonly pid: number
  /** The host's end of the guest agent's port. */
  readonly agentPipe: Duplex
  /** Resolves when the process has ended and its pipes are closed; never rejects. */
  readonly ended: Promise<VmEnd>
  /** The last lines of the guest's console: a guest wrote them, so they are hostile, and made safe to show. */
  consoleTail(): string
  /** The last lines of the hypervisor's own log. */
  logTail(): string
  /** Ends the process with SIGKILL; resolves with `ended`. Idempotent. */
  kill(): Promise<VmEnd>
}

export interface Hypervisor {
  /** For messages, with its version: `QEMU 10.0.2`. */
  readonly name: string
  /**
   * Starts a microVM and resolves once its hypervisor answers; the guest is then about to boot.
   *
   * @throws `BOOT_FAILED` when the process ends or does not answer; nothing is left behind.
   */
  start(spec: VmSpec, signal: AbortSignal): Promise<Vm>
}
