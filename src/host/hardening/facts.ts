/** What this host says of itself that matters to whoever runs strangers' code on it: read from /proc and /sys, judged elsewhere. */

import { access, readdir, readFile, realpath, stat, statfs } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileSystemOf } from '../file-system.ts'

/** Each undefined where this host does not tell. */
export interface HostFacts {
  readonly cores: number
  /** /sys/kernel/mm/ksm/run: 1 merges equal pages. */
  readonly pageMerging: number | undefined
  readonly swaps: readonly SwapSpace[] | undefined
  /** What the kernel says of each known flaw of the processor, by its name. */
  readonly flaws: ReadonlyMap<string, string> | undefined
  /** Cores run two threads each. */
  readonly hasThreads: boolean | undefined
  /** The module of KVM that lets guests be hosts themselves. */
  readonly nesting: string | undefined
  /** Switches of the kernel, by their path below /proc/sys. */
  readonly settings: ReadonlyMap<string, number>
  readonly acceleratorMode: number | undefined
  /** Packages that were replaced wait for a restart (Debian, Ubuntu). */
  readonly isRestartDue: boolean
  /** Limits of this process, which a microVM's process inherits where it has none of its own. */
  readonly coreBytesMax: number | undefined
  readonly openFilesMax: number | undefined
  readonly stateDirectory: { readonly hostPath: string; readonly mode: number; readonly freeMib: number } | undefined
  readonly templateDirectory: { readonly hostPath: string; readonly isTmpfs: boolean; readonly sizeMib: number } | undefined
  /** What Node was started with, in NODE_OPTIONS too. */
  readonly nodeArguments: readonly string[]
}

interface SwapSpace {
  readonly name: string
  /** 'unknown': a file, whose file system may be encrypted or not. */
  readonly kind: 'encrypted' | 'plain' | 'memory' | 'unknown'
}

export interface HostPaths {
  /** Below which /proc, /sys, /dev and /run are. */
  readonly root: string
  readonly state: string
  /** Where templates in memory are kept: a file system. */
  readonly templates: string
}

export const settingNames = [
  'kernel/dmesg_restrict',
  'kernel/kptr_restrict',
  'kernel/yama/ptrace_scope',
  'kernel/unprivileged_bpf_disabled',
  'kernel/perf_event_paranoid',
  'vm/unprivileged_userfaultfd',
] as const

export async function readHostFacts(paths: HostPaths): Promise<HostFacts> {
  const read = readerBelow(paths.root)
  const limits = (await read('proc/self/limits')) ?? ''
  return {
    cores: availableParallelism(),
    pageMerging: numberIn(await read('sys/kernel/mm/ksm/run')),
    swaps: await swapsOf(paths.root),
    flaws: await flawsOf(paths.root),
    hasThreads: flag(await read('sys/devices/system/cpu/smt/active')),
    nesting: await nestingModule(read),
    settings: await settingsOf(read),
    acceleratorMode: await stat(join(paths.root, 'dev/kvm')).then(({ mode }) => mode & 0o777, nothing),
    isRestartDue: await access(join(paths.root, 'run/reboot-required')).then(
      () => true,
      () => false,
    ),
    coreBytesMax: softLimit(limits, 'Max core file size'),
    openFilesMax: softLimit(limits, 'Max open files'),
    stateDirectory: await stateDirectoryAt(paths.state),
    templateDirectory: await templateDirectoryAt(paths.templates),
    nodeArguments: [...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(/\s+/).filter(Boolean)],
  }
}

const mib = 1_048_576
const nothing = (): undefined => undefined

type Read = (path: string) => Promise<string | undefined>

const readerBelow =
  (root: string): Read =>
  (path) =>
    readFile(join(root, path), 'utf8').then((text) => text.trim(), nothing)

const numberIn = (text: string | undefined): number | undefined =>
  text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined

const flag = (text: string | undefined): boolean | undefined => (text === undefined ? undefined : /^[1Yy]/.test(text))

/** From proc_pid_limits(5): the one that holds now. */
function softLimit(limits: string, name: string): number | undefined {
  const value = new RegExp(`^${name}\\s+(\\S+)`, 'm').exec(limits)?.[1]
  return value === 'unlimited' ? Number.POSITIVE_INFINITY : numberIn(value)
}

async function settingsOf(read: Read): Promise<Map<string, number>> {
  const settings = new Map<string, number>()
  for (const name of settingNames) {
    const value = numberIn(await read(`proc/sys/${name}`))
    if (value !== undefined) settings.set(name, value)
  }
  return settings
}

async function nestingModule(read: Read): Promise<string | undefined> {
  for (const module of ['kvm_intel', 'kvm_amd'])
    if (flag(await read(`sys/module/${module}/parameters/nested`)) === true) return module
  return undefined
}

async function flawsOf(root: string): Promise<Map<string, string> | undefined> {
  const directory = 'sys/devices/system/cpu/vulnerabilities'
  const names = await readdir(join(root, directory)).catch(nothing)
  if (names === undefined) return undefined
  const read = readerBelow(root)
  const flaws = await Promise.all(names.sort().map(async (name) => [name, (await read(`${directory}/${name}`)) ?? ''] as const))
  return new Map(flaws)
}

/** From proc_swaps(5). */
async function swapsOf(root: string): Promise<SwapSpace[] | undefined> {
  const table = await readerBelow(root)('proc/swaps')
  if (table === undefined) return undefined
  const lines = table.split('\n').slice(1).filter(Boolean)
  return Promise.all(
    lines.map(async (line) => {
      const [name = '', type] = line.split(/\s+/)
      return { name, kind: type === 'file' ? 'unknown' : await kindOf(root, name) } as const
    }),
  )
}

/** By what the block device is made of. */
async function kindOf(root: string, device: string): Promise<SwapSpace['kind']> {
  // A name below /dev/mapper is a link to the device.
  const name = (await realpath(join(root, device)).catch(() => device)).split('/').at(-1) as string
  const read = readerBelow(root)
  if (name.startsWith('zram')) return ((await read(`sys/block/${name}/backing_dev`)) ?? 'none') === 'none' ? 'memory' : 'unknown'
  return (await isEncrypted(root, name)) ? 'encrypted' : 'plain'
}

/** It is itself, or all that it lies on is: https://docs.kernel.org/admin-guide/device-mapper/dm-crypt.html, whose devices have such a uuid from cryptsetup. */
async function isEncrypted(root: string, name: string): Promise<boolean> {
  if ((await readerBelow(root)(`sys/block/${name}/dm/uuid`))?.startsWith('CRYPT-') === true) return true
  const below = await readdir(join(root, `sys/block/${name}/slaves`)).catch(() => [])
  return below.length > 0 && (await Promise.all(below.map((one) => isEncrypted(root, one)))).every(Boolean)
}

async function stateDirectoryAt(hostPath: string): Promise<HostFacts['stateDirectory']> {
  try {
    const { mode } = await stat(hostPath)
    return { hostPath, mode: mode & 0o777, freeMib: (await fileSystemOf(hostPath)).freeMib }
  } catch {
    return undefined
  }
}

async function templateDirectoryAt(hostPath: string): Promise<HostFacts['templateDirectory']> {
  try {
    const { blocks, bsize } = await statfs(hostPath)
    return { hostPath, isTmpfs: (await fileSystemOf(hostPath)).isTmpfs, sizeMib: Math.floor((blocks * bsize) / mib) }
  } catch {
    return undefined
  }
}
