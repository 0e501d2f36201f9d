/** From what a microVM shall be to QEMU's command line: pure functions. */

import type { VmHardware, VmSnapshot, VmSpec } from '../hypervisor.ts'

/** The pipes that QEMU inherits instead of opening sockets, by their places: no file, no name, nobody else can connect. */
export const pipes = { agent: 0, qmp: 1, console: 2 } as const

/** The descriptors that it finds them at, and behind them the one of its root disk, which its user need not be able to open. */
const inherited = { agent: 3, qmp: 4, console: 5, root: 6 } as const

/** QEMU's own number for that descriptor. */
const rootSet = 1

/** The name of the guest agent's port; the agent looks for it (protocol.md, section 1). */
const agentPortName = 'warmcell.agent'

/** What the host's process list shows in place of the program's own name. */
export const processName = 'warmcell-vm'

/** What the command line depends on beside the spec. */
export interface QemuHost {
  /** 'kvm' on Linux, 'hvf' on macOS. */
  readonly accelerator: 'kvm' | 'hvf'
  /** Whose processors can be told to hide from a guest that they can run guests. */
  readonly isX86: boolean
  /** How fast this host's time-stamp counter ticks, in kHz; undefined where it cannot be told. */
  readonly tscKhz: number | undefined
}

/**
 * The translation buffer of the emulator, in MiB. QEMU's default reserves up to 1,024. Measured with 24, 32, 64 and 128: the boot and an exec
 * take the same time from 32 on, and the process is 17 MiB smaller than with 64.
 */
const translationBufferMib = 32

/**
 * Everything the emulator can do but the fast string instructions: the guest's kernel copies with them where it finds them, and emulated they go byte by byte
 * (docs/decisions/0006: output and input move 1.7 times as fast without). Nor what guards a kernel against its own mistakes, or gives it a fifth level of page tables:
 * each costs the emulator at every entry, and without them a start of a program takes a twelfth less.
 */
const emulatedCpu = 'max,erms=off,fsrm=off,smap=off,smep=off,pku=off,la57=off'

/**
 * Everything the processor can do but to run guests: a guest that may be a host itself reaches far more of KVM. On arm64 that takes an option which nobody gives. Not yet
 * run under an accelerator.
 */
const hardwareCpu = (isX86: boolean): string => (isX86 ? 'host,vmx=off,svm=off' : 'host')

/** A microVM that boots a kernel. */
export function bootArguments(spec: VmSpec, host: QemuHost): string[] {
  const emulated = spec.isolation === 'emulated' ? emulatedArguments(host.tscKhz) : []
  return [
    ...machineArguments(spec, spec.id, host),
    ...memoryArguments(spec, spec.savesTo?.hostMemoryPath, kept),
    ...savedRunning,
    ...['-kernel', spec.hostKernelPath, '-initrd', spec.hostInitramfsPath],
    ...['-append', [...spec.kernelArguments, ...emulated].join(' ')],
  ]
}

/** Shared, so that what the guest writes is in the file when the microVM is saved. */
const kept = 'share=on'

/** A saved microVM is one that runs: its clones run on as soon as they are loaded. */
const savedRunning = ['-global', 'migration.store-global-state=off']

/** A microVM that waits to go on where it was saved, in the very memory that it was saved with. */
export function reopenArguments(snapshot: VmSnapshot, id: string, host: QemuHost): string[] {
  return [
    ...machineArguments(snapshot, id, host),
    ...memoryArguments(snapshot, snapshot.hostMemoryPath, kept),
    ...savedRunning,
    ...waitingToLoad,
  ]
}

/** A microVM that waits to load a snapshot: the same devices, and no kernel, for that is in the memory. */
export function cloneArguments(snapshot: VmSnapshot, id: string, host: QemuHost): string[] {
  return [
    ...machineArguments(snapshot, id, host),
    // Private and opened read-only: a QEMU that a guest has taken over cannot write to what every other clone reads.
    ...memoryArguments(snapshot, snapshot.hostMemoryPath, 'share=off,readonly=on,rom=off'),
    ...waitingToLoad,
  ]
}

const waitingToLoad = ['-incoming', 'defer']

/** What a template and its clones must have alike. */
function machineArguments(hardware: VmHardware, id: string, host: QemuHost): string[] {
  const emulated = hardware.isolation === 'emulated'
  return [
    ...['-name', `${id},process=${processName}`],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-monitor', 'none', '-nic', 'none'],
    // A guest that restarts has ended: a panic and a reboot both show as the end of the process.
    '-no-reboot',
    ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    // The interrupt controller and timer of the PC stay on: emulated, the kernel's clock stops without them.
    ...[
      '-machine',
      `microvm,acpi=${onOff(hardware.acpi)},pit=on,pic=on,rtc=on,isa-serial=on,usb=off,memory-backend=ram,dump-guest-core=off,mem-merge=off`,
    ],
    ...[
      '-accel',
      emulated ? `tcg,thread=${hardware.vcpus > 1 ? 'multi' : 'single'},tb-size=${translationBufferMib}` : host.accelerator,
    ],
    ...['-cpu', emulated ? emulatedCpu : hardwareCpu(host.isX86)],
    ...['-smp', String(hardware.vcpus), '-m', `${hardware.memoryMib}M`],
    ...['-chardev', `socket,id=qmp,fd=${inherited.qmp}`, '-mon', 'chardev=qmp,mode=control'],
    ...['-chardev', `socket,id=console,fd=${inherited.console}`, '-serial', 'chardev:console'],
    ...['-device', 'virtio-serial-device,max_ports=2'],
    ...['-chardev', `socket,id=agent,fd=${inherited.agent}`, '-device', `virtserialport,chardev=agent,name=${agentPortName}`],
    // The format is said, never guessed: a guessed one lets the content of an image choose the driver.
    ...['-add-fd', `fd=${inherited.root},set=${rootSet}`],
    ...['-drive', `if=none,id=root,format=raw,readonly=on,file.locking=off,file=/dev/fdset/${rootSet}`],
    ...['-device', 'virtio-blk-device,drive=root'],
  ]
}

/** Guest memory: the process's own, or that of a file. */
function memoryArguments({ memoryMib }: VmHardware, hostPath: string | undefined, mapping: string): string[] {
  const size = `id=ram,size=${memoryMib}M`
  if (hostPath === undefined) return ['-object', `memory-backend-ram,${size}`]
  return ['-object', `memory-backend-file,${size},${mapping},mem-path=${escapeOption(hostPath)}`]
}

/** Without a boundary to defend, the kernel's address need not be random: unpacked in place, it touches 8 to 22 MiB less of its memory. */
function emulatedArguments(tscKhz: number | undefined): string[] {
  return ['nokaslr', ...emulatedClockArguments(tscKhz)]
}

/**
 * Emulated, the kernel measures its clocks against a timer that stalls when the host is busy, and now and then never returns. Told the
 * rates, it does not measure. The guest's counter is the host's, so the host's rate is the right one. Loops per jiffy are counter ticks
 * in 4 ms, as the kernel computes them itself (our kernels and Debian's tick at 250 Hz). The counter is also to be trusted: on a busy host the
 * kernel's watchdog throws it out, and from then on ticks for ever (docs/decisions/0008).
 */
function emulatedClockArguments(tscKhz: number | undefined): string[] {
  if (tscKhz === undefined) return ['no_timer_check']
  return ['no_timer_check', `tsc_early_khz=${tscKhz}`, `lpj=${tscKhz * jiffyMs}`, 'tsc=reliable']
}

/** A tick of the guest's kernels, in milliseconds. */
const jiffyMs = 4

const onOff = (value: boolean): string => (value ? 'on' : 'off')

/** A comma ends a value in QEMU's option syntax; two stand for one. */
function escapeOption(value: string): string {
  return value.replaceAll(',', ',,')
}
