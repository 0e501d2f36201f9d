/** QEMU as a hypervisor: the parts of this room put together. */

import { WarmcellError } from '../../errors.ts'
import { directLauncher } from '../direct-launcher.ts'
import type { Hypervisor, ParkedVm, Vm, VmHardware, VmSnapshot, VmSpec } from '../hypervisor.ts'
import type { Launch, Launcher, LaunchLimits } from '../launcher.ts'
import { bootArguments, cloneArguments, pipes, type QemuHost, reopenArguments } from './arguments.ts'
import { findQemu, hostTscKhz, type QemuBinary } from './discover.ts'
import { QemuProcess, type QemuSnapshot } from './process.ts'

export class QemuHypervisor implements Hypervisor {
  readonly name: string
  readonly #binary: QemuBinary
  readonly #host: QemuHost
  readonly #launcher: Launcher

  private constructor(binary: QemuBinary, host: QemuHost, launcher: Launcher) {
    this.name = `QEMU ${binary.version}`
    this.#binary = binary
    this.#host = host
    this.#launcher = launcher
  }

  static async of(binary: QemuBinary, launcher: Launcher): Promise<QemuHypervisor> {
    const accelerator = process.platform === 'darwin' ? 'hvf' : 'kvm'
    const host: QemuHost = { accelerator, isX86: process.arch === 'x64', tscKhz: await hostTscKhz() }
    return new QemuHypervisor(binary, host, launcher)
  }

  /**
   * This host's QEMU, held by nothing but its parent's life.
   *
   * @throws `HOST_UNSUPPORTED` when this host has no QEMU that will do.
   */
  static async find(): Promise<QemuHypervisor> {
    return QemuHypervisor.of(await findQemu(), await directLauncher())
  }

  describe(spec: VmSpec): readonly string[] {
    const nowhere = { id: '', hostKernelPath: '', hostInitramfsPath: '', hostRootPath: '' }
    const { savesTo: _, ...machine } = spec
    // Without the counter's rate, which some hosts can only tell roughly, and never twice the same.
    return bootArguments({ ...machine, ...nowhere }, { ...this.#host, tscKhz: undefined })
  }

  async start(spec: VmSpec, signal: AbortSignal): Promise<Vm> {
    const { hostKernelPath, hostInitramfsPath, savesTo } = spec
    const files = {
      reads: [hostKernelPath, hostInitramfsPath],
      writes: savesTo === undefined ? [] : [savesTo.hostMemoryPath, savesTo.hostStatePath],
      updates: [],
    }
    return this.#start(spec.id, spec, bootArguments(spec, this.#host), files, { savesTo }, signal)
  }

  async park(snapshot: VmSnapshot, id: string, signal: AbortSignal): Promise<ParkedVm> {
    const files = { reads: [snapshot.hostMemoryPath, snapshot.hostStatePath], writes: [], updates: [] }
    return this.#start(id, snapshot, cloneArguments(snapshot, id, this.#host), files, { loads: snapshot }, signal)
  }

  async reopen(snapshot: VmSnapshot, id: string, signal: AbortSignal): Promise<ParkedVm> {
    const files = { reads: [], writes: [], updates: [snapshot.hostMemoryPath, snapshot.hostStatePath] }
    const args = reopenArguments(snapshot, id, this.#host)
    return this.#start(id, snapshot, args, files, { loads: snapshot, savesTo: snapshot }, signal)
  }

  async #start(
    id: string,
    hardware: VmHardware,
    args: readonly string[],
    files: Pick<Launch, 'reads' | 'writes' | 'updates'>,
    snapshot: QemuSnapshot,
    signal: AbortSignal,
  ): Promise<QemuProcess> {
    signal.throwIfAborted()
    const launched = await this.#launcher.launch({
      ...{ id, program: this.#binary, args, ...files },
      pipes: Object.keys(pipes).length,
      // A line break between commands is nothing to QMP.
      gate: pipes.qmp,
      opens: [hardware.hostRootPath],
      devices: hardware.isolation === 'hardware' && this.#host.accelerator === 'kvm' ? ['/dev/kvm'] : [],
      limits: limitsOf(hardware, snapshot),
    })
    const vm = new QemuProcess(launched, snapshot)
    const onAbort = (): void => void vm.kill()
    signal.addEventListener('abort', onAbort, { once: true })
    // Starting took its time: it may have fired meanwhile.
    if (signal.aborted) onAbort()
    try {
      // Both wait in the socket while QEMU starts, and are answered in one go.
      await Promise.all([vm.qmp.negotiate(), ...(snapshot.loads === undefined ? [] : [vm.qmp.prepareMigration()])])
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

/** Of a QEMU beside its guest's memory, in MiB: translations at their most, device models, its libraries and heap; twice what was ever seen (decision 0013). */
const overheadMib = 128

/** Of a QEMU beside its processors: the main loop, RCU, the workers of its disk and of a migration. */
const otherThreads = 72

/**
 * A clone that is the first to touch a page which its template has left out of its file pays for it twice: in the file, where the kernel puts zeros that all clones share from then
 * on, and in its own copy (mm/memory.c, do_cow_fault).
 */
function limitsOf({ memoryMib, vcpus }: VmHardware, { loads, savesTo }: QemuSnapshot): LaunchLimits {
  const times = loads !== undefined && savesTo === undefined ? 2 : 1
  return {
    memoryMib: times * memoryMib + overheadMib,
    threads: vcpus + otherThreads,
    // One more than the guest's: the main loop must not wait while its processors are busy.
    cpus: vcpus + 1,
    // The state of the devices is less than a MiB; the memory is a file as large as it is.
    fileMib: memoryMib + 1,
  }
}
