/** From what shall hold a program to the command that starts it held: pure. */

import { dirname } from 'node:path'
import type { Launch, LaunchLimits } from '../../hypervisor/index.ts'
import type { ProgramTree } from './tree.ts'

/** Where a program runs with nothing of the host in sight but its own. */
export interface Box {
  readonly bwrap: string
  readonly tree: ProgramTree
  /** The descriptors that bwrap finds its own things at. */
  readonly descriptors: { readonly info: number; readonly filter: number | undefined }
}

/** The most descriptors that it may have open: it has fewer than twenty. */
const openFilesMax = 256

/** The most memory that it may keep from being swapped out, in bytes: none is asked for. */
const lockedBytesMax = 65_536

const mib = 1_048_576

/** All that it can write to. */
export const writtenBy = ({ writes, updates }: Launch): string[] => [...writes, ...updates]

/** In front of everything else, by prlimit(1): what is set is inherited. */
export function limitWords(prlimit: string, { fileMib }: LaunchLimits, writes: boolean): string[] {
  const limits = {
    core: 0,
    nofile: openFilesMax,
    fsize: writes ? fileMib * mib : 0,
    memlock: lockedBytesMax,
    msgqueue: 0,
  }
  return [prlimit, ...Object.entries(limits).map(([name, value]) => `--${name}=${value}:${value}`), '--']
}

/**
 * A root that holds the program and what it reads, and can nowhere be written to but in the files that it is to make; every namespace its own; no capability but
 * those to become its own user; and the end with its parent.
 *
 * Run by root, the namespaces need no user namespace, which some hosts refuse; run by anybody else, they do.
 */
export function boxWords({ bwrap, tree, descriptors }: Box, launch: Launch, isRoot: boolean): string[] {
  const { reads, devices } = launch
  const writes = writtenBy(launch)
  const becoming = ['CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP'].flatMap((capability) => ['--cap-add', capability])
  return [
    bwrap,
    ...['--unshare-ipc', '--unshare-pid', '--unshare-net', '--unshare-uts', '--unshare-cgroup-try'],
    ...(isRoot ? [] : ['--unshare-user']),
    ...['--die-with-parent', '--hostname', 'warmcell', '--chdir', '/'],
    // The kernel asks whether a parent that dies might have signalled its child: root without capabilities may not signal another user. So there has to be a first process
    // of root's in the namespace, whose end is the end of all in it; the same user's program is that itself.
    ...(isRoot ? [] : ['--as-pid-1']),
    ...['--cap-drop', 'ALL', ...(isRoot ? becoming : [])],
    // Made by itself, what is on the way to a file is for root alone.
    ...ancestorsOf([...tree.mounts.map(([, path]) => path), ...reads, ...writes, ...devices]).flatMap((path) => ['--dir', path]),
    ...tree.mounts.flatMap(([hostPath, path]) => ['--ro-bind', hostPath, path]),
    ...reads.flatMap((hostPath) => ['--ro-bind', hostPath, hostPath]),
    ...writes.flatMap((hostPath) => ['--bind', hostPath, hostPath]),
    ...devices.flatMap((hostPath) => ['--dev-bind', hostPath, hostPath]),
    ...['--remount-ro', '/'],
    ...(descriptors.filter === undefined ? [] : ['--seccomp', String(descriptors.filter)]),
    ...['--info-fd', String(descriptors.info), '--'],
  ]
}

/** What anybody may ask setpriv(1) for, last of all. */
const noMoreRights = ['--inh-caps=-all', '--ambient-caps=-all', '--no-new-privs', '--pdeathsig', 'KILL', '--']

/** The last link in a box that root has made. The signal comes last: to become another user takes it away. */
export function userWords(userId: number, groups: readonly number[], setpriv: readonly string[]): string[] {
  return [
    ...setpriv,
    ...['--reuid', String(userId), '--regid', String(userId)],
    ...(groups.length === 0 ? ['--clear-groups'] : ['--groups', groups.join(',')]),
    '--bounding-set=-all',
    ...noMoreRights,
  ]
}

/** What can be done without a box: no more rights than there are, and the end with its parent. */
export function bareWords(setpriv: string, isRoot: boolean): string[] {
  return [setpriv, ...(isRoot ? ['--bounding-set=-all'] : []), ...noMoreRights]
}

/** The directories that lead to the paths, each before those in it. */
function ancestorsOf(paths: readonly string[]): string[] {
  const ancestors = new Set<string>()
  for (const path of paths) {
    const parts = dirname(path).split('/').filter(Boolean)
    for (let depth = 1; depth <= parts.length; depth++) ancestors.add(`/${parts.slice(0, depth).join('/')}`)
  }
  return [...ancestors]
}
