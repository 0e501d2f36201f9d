/** QEMU as a hypervisor: the parts of this room put together. */

import { WarmcellError } from '../../errors.ts'
import type { Hypervisor, ParkedVm, Vm, VmSnapshot, VmSpec } from '../hypervisor.ts'
import { bootArguments, cloneArguments, type QemuHost } from './arguments.ts'
import { findProgram, findQemu, hostTscKhz, type QemuBinary } from './discover.ts'
import { QemuProcess } from './process.ts'

export class QemuHypervisor implements Hypervisor {
  readonly name: string
  readonly #binary: QemuBinary
  readonly #host: QemuHost
  readonly #parentDeath: string | undefined

  private constructor(binary: QemuBinary, host: QemuHost, parentDeath: string | undefined) {
    this.name = `QEMU ${binary.version}`
    this.#binary = binary
    this.#host = host
    this.#parentDeath = parentDeath
  }

  /** @throws `HOST_UNSUPPORTED` when this host has no QEMU that will do. */
  static async find(): Promise<QemuHypervisor> {
    const binary = await findQemu()
    const host: QemuHost = { accelerator: process.platform === 'darwin' ? 'hvf' : 'kvm', tscKhz: await hostTscKhz() }
    return new QemuHypervisor(binary, host, process.platform === 'linux' ? await findProgram('setpriv') : undefined)
  }

  describe(spec: VmSpec): readonly string[] {
    const nowhere = { id: '', hostKernelPath: '', hostInitramfsPath: '', hostRootPath: '' }
    const { hostMemoryPath: _, ...machine } = spec
    // Without the counter's rate, which some hosts can only tell roughly, and never twice the same.
    return bootArguments({ ...machine, ...nowhere }, { ...this.#host, tscKhz: undefined })
  }

  async start(spec: VmSpec, signal: AbortSignal): Promise<Vm> {
    return this.#start(bootArguments(spec, this.#host), undefined, signal)
  }

  async park(snapshot: VmSnapshot, id: string, signal: AbortSignal): Promise<ParkedVm> {
    return this.#start(cloneArguments(snapshot, id, this.#host), snapshot.hostStatePath, signal)
  }

  async #start(args: readonly string[], hostStatePath: string | undefined, signal: AbortSignal): Promise<QemuProcess> {
    signal.throwIfAborted()
    const vm = await QemuProcess.start(this.#binary.hostPath, args, this.#parentDeath, hostStatePath)
    const onAbort = (): void => void vm.kill()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      // Both wait in the socket while QEMU starts, and are answered in one go.
      await Promise.all([vm.qmp.negotiate(), ...(hostStatePath === undefined ? [] : [vm.qmp.prepareMigration()])])
      return vm
    } catch (cause) {
      await vm.kill()
      signal.throwIfAborted()
      const log = vm.logTail()
      throw new WarmcellError('BOOT_FAILED', `${this.name} ended before it answered${log === '' ? '.' : `: ${log}`}`, { cause })
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }
}
