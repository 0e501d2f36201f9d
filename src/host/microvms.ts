/** The microVMs of this user on this host, whichever program made them. */

import { basename, dirname } from 'node:path'
import { WarmcellError } from '../errors.ts'
import type { Isolation, VmFacts } from '../hypervisor/index.ts'
import { commandLineOf, type HostProcess, processesOfUser } from './processes.ts'

/** A microVM as its host sees it: a process. Whether it is a sandbox's, warm or parked, only its owner knows. */
export interface MicrovmInfo {
  /** That of its sandbox. One that a template is built in is called `wc-template-…`, one that proves an accelerator `wc-probe`. */
  id: string
  /** Of the hypervisor's process. */
  pid: number
  /** The process that made it, which it does not outlive; its command line is empty when it has just ended. */
  owner: { pid: number; command: string[] }
  /** 'paused': it stands still, as one does that is warm. */
  state: 'running' | 'paused'
  isolation: Isolation
  startedAt: Date
  /** Processor time of the whole process, in milliseconds. */
  cpuMs: number
  /** Its share of the host's memory: pages that n clones have in common count for an n-th each. Where the kernel does not tell, `residentBytes`. */
  memoryBytes: number
  /** What of it is in memory, pages that it shares with other clones included. */
  residentBytes: number
  vcpus: number
  /** What the guest may grow to. */
  memoryMib: number
  /** What it is a clone of; `name` is the one that it was first built under. None for one that was booted. */
  template?: { digest: string; name: string }
}

/**
 * @param recognise tells a microVM by its command line
 * @param nameOf tells a template's name by the directory it lies in, '' where it has none
 * @throws `UNSUPPORTED` on another system than Linux
 */
export async function microvmsOf(
  recognise: (argv: readonly string[]) => VmFacts | undefined,
  nameOf: (hostDirectory: string) => Promise<string>,
): Promise<MicrovmInfo[]> {
  if (process.platform !== 'linux') {
    throw new WarmcellError(
      'UNSUPPORTED',
      'The microVMs of a host can only be listed on Linux, which tells of its processes in /proc.',
      {
        hint: "A pool's own are in `listSandboxes()`.",
      },
    )
  }
  const found = await processesOfUser((argv) => recognise(argv) !== undefined)
  return Promise.all(
    found.map(async (one) => {
      const facts = recognise(one.argv) as VmFacts
      const template = await templateOf(facts, nameOf)
      const owner = { pid: one.parentPid, command: await commandLineOf(one.parentPid) }
      return { ...describe(one, facts), owner, ...(template && { template }) }
    }),
  )
}

function describe(one: HostProcess, { id, isolation, vcpus, memoryMib }: VmFacts): Omit<MicrovmInfo, 'owner' | 'template'> {
  const { pid, stopped, startedAt, cpuMs, residentBytes, proportionalBytes = residentBytes } = one
  const state = stopped ? 'paused' : 'running'
  return { id, pid, state, isolation, startedAt, cpuMs, memoryBytes: proportionalBytes, residentBytes, vcpus, memoryMib }
}

/** A template lies in a directory that its digest names; one in the making has a longer name. */
async function templateOf(
  { hostMemoryPath }: VmFacts,
  nameOf: (hostDirectory: string) => Promise<string>,
): Promise<MicrovmInfo['template']> {
  if (hostMemoryPath === undefined) return undefined
  const hostDirectory = dirname(hostMemoryPath)
  const digest = /^[0-9a-f]{64}/.exec(basename(hostDirectory))?.[0]
  return digest === undefined ? undefined : { digest, name: await nameOf(hostDirectory) }
}
