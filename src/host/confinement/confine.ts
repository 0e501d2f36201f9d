/** Finds out what this host offers to hold a program by, by trying it. */

import { foreignLines } from '../../common/text.ts'
import { findProgram, type LaunchedProgram, type Launcher } from '../../hypervisor/index.ts'
import { findCgroupBase } from './cgroup-base.ts'
import { ConfinedLauncher, type Holds } from './confined-launcher.ts'
import { type ConfinementGap, type ConfinementPart, confinementParts } from './contract.ts'
import { systemCallFilter } from './filter.ts'
import { gapsOf, type Reasons } from './gaps.ts'
import { ProgramTree } from './tree.ts'

/** How a program is held on this host. */
export interface Confinement {
  readonly launcher: Launcher
  readonly held: readonly ConfinementPart[]
  readonly missing: readonly ConfinementGap[]
}

/**
 * @param hostDirectory of this user alone: what a confined process sees is kept there
 * @throws nothing for a host that lacks something: that is in `missing`
 */
export async function confine(program: LaunchedProgram, hostDirectory: string): Promise<Confinement> {
  const reasons: Reasons = {}
  const offered = await offer(program, hostDirectory, reasons)
  const holds = await withoutWhatFails(program, offered, reasons)
  const missing = gapsOf(holds, reasons)
  // Only root can make somebody else of a process; for anybody else its own root and its own namespaces are what hold it.
  const parts = confinementParts.filter((part) => part !== 'user' || holds.isRoot)
  const held = parts.filter((part) => !missing.some((gap) => gap.part === part))
  return { launcher: new ConfinedLauncher(holds), held, missing }
}

/** Everything that seems to be there. */
async function offer(program: LaunchedProgram, hostDirectory: string, reasons: Reasons): Promise<Holds> {
  const isRoot = process.geteuid?.() === 0
  if (process.platform !== 'linux') return { isRoot }
  const [prlimit, setpriv, bwrap, shell] = await Promise.all(['prlimit', 'setpriv', 'bwrap', 'sh'].map(findProgram))
  const { arch } = process
  const filter = arch === 'x64' || arch === 'arm64' ? systemCallFilter(arch) : undefined
  const cgroups = await findCgroupBase().catch((error: Error) => {
    reasons.cgroups = error.message
    return undefined
  })
  const holds = { isRoot, prlimit, setpriv, shell, filter, cgroups }
  if (bwrap === undefined) reasons.box = 'there is no bwrap'
  else if (isRoot && setpriv === undefined) reasons.box = 'there is no setpriv'
  else {
    try {
      const helpers = [isRoot ? setpriv : undefined, shell].filter((helper) => helper !== undefined)
      return { ...holds, box: { bwrap, tree: await ProgramTree.prepare(hostDirectory, program, helpers) } }
    } catch (error) {
      reasons.box = (error as Error).message
    }
  }
  return holds
}

/** What is offered, less what does not work here: in a container that may make no namespaces, for example. */
async function withoutWhatFails(program: LaunchedProgram, offered: Holds, reasons: Reasons): Promise<Holds> {
  let failure = await trial(program, offered)
  if (failure === undefined) return offered
  const { isRoot, cgroups } = offered
  const groupFailure = cgroups && (await trial(program, { isRoot, cgroups }))
  let holds = groupFailure === undefined ? offered : { ...offered, cgroups: undefined }
  if (groupFailure !== undefined) {
    reasons.cgroups = groupFailure
    failure = await trial(program, holds)
  }
  for (const part of ['shell', 'box', 'setpriv', 'prlimit'] as const) {
    if (failure === undefined) break
    reasons[part] ??= failure
    holds = { ...holds, [part]: undefined }
    failure = await trial(program, holds)
  }
  return holds
}

/** Why it does not work, undefined where it does: the program says its version, held. */
async function trial(program: LaunchedProgram, holds: Holds): Promise<string | undefined> {
  try {
    const launched = await new ConfinedLauncher(holds).launch({
      ...{ id: 'wc-trial', program, args: ['--version'], opens: [], reads: [], writes: [], updates: [], devices: [] },
      pipes: 1,
      gate: 0,
      limits: { memoryMib: 256, threads: 64, cpus: 1, fileMib: 0 },
    })
    const { exitCode } = await launched.ended
    return exitCode === 0 ? undefined : foreignLines(launched.logTail()) || `it ended with ${exitCode}`
  } catch (error) {
    const { message, cause } = error as Error
    // As a part of a sentence, and without the words that say it of a microVM.
    return (cause instanceof Error ? cause.message : message).replace(/\.$/, '')
  }
}
