/** Starts programs held by all that this host offers. */

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { Cleanup } from '../../common/cleanup.ts'
import { foreignLines } from '../../common/text.ts'
import { WarmcellError } from '../../errors.ts'
import {
  firstDescriptor,
  gateWords,
  type Launch,
  type Launched,
  type LaunchedChild,
  type Launcher,
  openGate,
  startChild,
  withFiles,
} from '../../hypervisor/index.ts'
import { Cgroup } from './cgroup.ts'
import type { CgroupBase } from './cgroup-base.ts'
import { bareWords, boxWords, limitWords, userWords, writtenBy } from './chain.ts'
import { giveTo, groupsOf, ownUserId } from './own-user.ts'
import type { ProgramTree } from './tree.ts'

/** What a launcher holds programs by; each undefined where this host does not offer it. */
export interface Holds {
  readonly isRoot: boolean
  readonly prlimit?: string | undefined
  readonly setpriv?: string | undefined
  /** A POSIX shell, which is the gate before the program. */
  readonly shell?: string | undefined
  readonly box?: { readonly bwrap: string; readonly tree: ProgramTree } | undefined
  /** The filter of system calls, as the kernel takes it. */
  readonly filter?: Buffer | undefined
  readonly cgroups?: CgroupBase | undefined
}

export class ConfinedLauncher implements Launcher {
  readonly #holds: Holds

  constructor(holds: Holds) {
    this.#holds = holds
  }

  launch(launch: Launch): Promise<Launched> {
    return withFiles(launch, () => this.#start(launch))
  }

  async #start(launch: Launch): Promise<Launched> {
    const { isRoot, box, filter, cgroups } = this.#holds
    const cleanup = new Cleanup()
    let launched: LaunchedChild | undefined
    try {
      const userId = isRoot && box !== undefined ? ownUserId() : undefined
      if (userId !== undefined) {
        const files = writtenBy(launch)
        cleanup.defer(() => giveTo(files, undefined))
        await giveTo(files, userId)
      }
      // Made while the program starts, and joined before it has anything to do.
      const group = cgroups && Cgroup.make(cgroups, launch.id, launch.limits)
      group?.catch(() => {})
      cleanup.defer(async () => (await group?.catch(() => undefined))?.remove())
      const ownPipes = box === undefined ? 0 : filter === undefined ? 1 : 2
      const options = { ownPipes, release: () => cleanup.run() }
      launched = await startChild(await this.#command(launch, userId), launch, options)
      if (box !== undefined) await this.#intoBox(launched, launch)
      openGate(launched, launch)
      await (await group)?.join(launched.pid)
      return launched
    } catch (error) {
      launched?.signal('SIGKILL')
      await (launched === undefined ? cleanup.run() : launched.ended)
      throw error
    }
  }

  async #command(launch: Launch, userId: number | undefined): Promise<string[]> {
    const { isRoot, prlimit, setpriv, shell, box, filter } = this.#holds
    const limits = prlimit === undefined ? [] : limitWords(prlimit, launch.limits, writtenBy(launch).length > 0)
    if (box === undefined) {
      const bare = setpriv === undefined ? [] : bareWords(setpriv, isRoot)
      return [
        ...limits,
        ...bare,
        ...gateWords(shell === undefined ? undefined : [shell], launch),
        launch.program.hostPath,
        ...launch.args,
      ]
    }
    // Where bwrap finds its own: behind what the program inherits.
    const info = firstDescriptor + launch.pipes + launch.opens.length
    const descriptors = { info, filter: filter && info + 1 }
    const becoming =
      userId === undefined || setpriv === undefined
        ? []
        : userWords(userId, await groupsOf(launch.devices), box.tree.command(setpriv))
    const words = boxWords({ ...box, descriptors }, launch, userId !== undefined)
    const gate = gateWords(shell === undefined ? undefined : box.tree.command(shell), launch)
    return [...limits, ...words, ...becoming, ...gate, ...box.tree.command(launch.program.hostPath), ...launch.args]
  }

  /** The process behind the first one of a namespace, once that ends with bwrap. */
  async #programOf(first: number): Promise<number> {
    const pid = await found(() => onlyChildOf(first))
    if (pid === undefined) throw new Error('bwrap did not get as far as starting it')
    if (this.#holds.filter !== undefined) await found(() => isTied(first))
    return pid
  }

  /** Hands bwrap the filter, and learns from it which process is the program. */
  async #intoBox(launched: LaunchedChild, { id, program }: Launch): Promise<void> {
    const [told, filter] = launched.ownPipes
    filter?.resume().end(this.#holds.filter)
    const said = told === undefined ? '' : await text(told).catch(() => '')
    // bwrap(1), `--info-fd`: one JSON object.
    const pid = /"child-pid": *(\d+)/.exec(said)?.[1]
    if (pid !== undefined) {
      launched.standsFor(this.#holds.isRoot ? await this.#programOf(Number(pid)) : Number(pid))
      return
    }
    await launched.ended
    const complaint = foreignLines(launched.logTail())
    throw new WarmcellError(
      'BOOT_FAILED',
      `bwrap did not start ${program.hostPath}: ${complaint || 'it ended without a word'}.`,
      {
        sandboxId: id,
        hint: 'Run `warmcell doctor` to see what confines microVMs on this host.',
      },
    )
  }
}

/**
 * Whether bwrap's first process in a namespace will end with bwrap: it asks the kernel for that when it has made the program's process, and puts itself under the filter right after
 * (bubblewrap.c, do_init). Before, a host that dies takes bwrap with it and not what is in the box.
 */
async function isTied(pid: number): Promise<true | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => undefined)
  return status === undefined || /^Seccomp:\t2$/m.test(status) || undefined
}

/** Between two looks, in milliseconds: bwrap takes one or two to get from its first word to the program. */
const lookMs = 1

/** Far more than it takes: a host that swaps needs seconds. */
const looksMax = 10_000

/** What the looks are for, as soon as one of them finds it; undefined when none does. */
async function found<T>(look: () => Promise<T | undefined>): Promise<T | undefined> {
  for (let looks = 0; looks < looksMax; looks++) {
    const it = await look()
    if (it !== undefined) return it
    await delay(lookMs)
  }
  return undefined
}

/** The process that another has started: proc_pid_children(5). Undefined before it has; the other itself, where all has ended already. */
async function onlyChildOf(pid: number): Promise<number | undefined> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => undefined)
  if (children !== undefined) return children === '' ? undefined : Number.parseInt(children, 10)
  if (!existsSync(`/proc/${pid}`)) return pid
  throw new Error('this kernel does not tell the children of a process (CONFIG_PROC_CHILDREN)')
}
