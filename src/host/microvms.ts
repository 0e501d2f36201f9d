/** The microVMs of this user on this host, whichever program made them. */

import { basename, dirname } from 'node:path'
import { WarmcellError } from '../errors.ts'
import type { Isolation, VmFacts } from '../hypervisor/index.ts'
import { ownerOf, type Recognise } from './lineage.ts'
import { identityOf, identityText, isAlive, type ProcessIdentity } from './process-identity.ts'
import { commandLineOf, type HostProcess, processesWith } from './processes.ts'

/** A microVM as its host sees it: a process. Whether it is a sandbox's, warm or parked, only its owner knows. */
export interface MicrovmInfo {
  /** That of its sandbox. One that a template is built in is called `wc-template-…`, one that proves an accelerator `wc-probe-…`. */
  id: string
  /** Of the hypervisor's process. */
  pid: number
  /** The process that made it. Its command line is empty when it has ended: `reap` removes what it has left. Its pid is then 0 where nobody knows it. */
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

export interface MicrovmSources {
  readonly recognise: Recognise
  /** Tells a template's name by the directory it lies in, '' where it has none. */
  readonly nameOf: (hostDirectory: string) => Promise<string>
  /** What journals say of who owns which process, by the process's identity as text. */
  readonly journalledOwners: () => Promise<ReadonlyMap<string, ProcessIdentity>>
}

/** @throws `UNSUPPORTED` on another system than Linux */
export async function microvmsOf({ recognise, nameOf, journalledOwners }: MicrovmSources): Promise<MicrovmInfo[]> {
  if (process.platform !== 'linux') {
    throw new WarmcellError(
      'UNSUPPORTED',
      'The microVMs of a host can only be listed on Linux, which tells of its processes in /proc.',
      {
        hint: "A pool's own are in `listSandboxes()`.",
      },
    )
  }
  // A journal that cannot be read is for the reaper to complain of: who owns what is told by the processes too.
  const owners = await journalledOwners().catch(() => new Map<string, ProcessIdentity>())
  const found = await processesWith((argv) => recognise(argv) !== undefined)
  const all = await Promise.all(
    found.map(async (one) => {
      const owner = await ownerIn(owners, one, recognise)
      if (owner === undefined) return undefined
      const facts = recognise(one.argv) as VmFacts
      const template = await templateOf(facts, nameOf)
      return { ...describe(one, facts), owner, ...(template && { template }) }
    }),
  )
  return all.filter((one) => one !== undefined)
}

/**
 * Undefined when it is another user's. The microVM itself may run in the name of a user of its own, so it is the owner's name that counts; its own does where the owner has
 * died and no journal knows of it.
 */
async function ownerIn(
  journalled: ReadonlyMap<string, ProcessIdentity>,
  one: HostProcess,
  recognise: Recognise,
): Promise<MicrovmInfo['owner'] | undefined> {
  const identity = await identityOf(one.pid)
  const known = identity && journalled.get(identityText(identity))
  if (known !== undefined) return { pid: known.pid, command: (await isAlive(known)) ? await commandLineOf(known.pid) : [] }
  const parent = await ownerOf(one, recognise)
  if ((parent ?? one).euid !== process.geteuid?.()) return undefined
  return { pid: parent?.pid ?? 0, command: [...(parent?.argv ?? [])] }
}

function describe(one: HostProcess, { id, isolation, vcpus, memoryMib }: VmFacts): Omit<MicrovmInfo, 'owner' | 'template'> {
  const { pid, stopped, startedAt, cpuMs, residentBytes, proportionalBytes = residentBytes } = one
  const state = stopped ? 'paused' : 'running'
  return { id, pid, state, isolation, startedAt, cpuMs, memoryBytes: proportionalBytes, residentBytes, vcpus, memoryMib }
}

/** A template lies in a directory that its digest names; one in the making has a longer name. */
async function templateOf({ hostMemoryPath }: VmFacts, nameOf: MicrovmSources['nameOf']): Promise<MicrovmInfo['template']> {
  if (hostMemoryPath === undefined) return undefined
  const hostDirectory = dirname(hostMemoryPath)
  const digest = /^[0-9a-f]{64}/.exec(basename(hostDirectory))?.[0]
  return digest === undefined ? undefined : { digest, name: await nameOf(hostDirectory) }
}
