/** Clearing away what dead owners have left on this host, whatever it is. */

import { z } from 'zod'
import { assertValid, plainText } from '../common/validate.ts'
import type { Leftover, LeftoverKind, Sweeper } from './leftover.ts'

export interface ReapOptions {
  /** As the pool's. Default `$XDG_STATE_HOME/warmcell`, `~/.local/state/warmcell`. */
  stateDir?: string
}

/** Something that a process left behind when it was killed. */
export interface Reaped {
  kind: LeftoverKind
  /** A microVM's id, or a path of this host. */
  name: string
  /** The process that has left it, where that is known. */
  ownerPid?: number
}

export interface ReapReport {
  removed: Reaped[]
  /** What could not be removed, or is better looked at by a person, and why. */
  left: (Reaped & { reason: string })[]
  /** What could not even be looked for, as sentences. */
  failures: string[]
}

const optionsSchema = z.strictObject({ stateDir: plainText.refine((text) => text !== '', 'expected a path').optional() })

/** @throws `INVALID_ARGUMENT` */
export function assertReapOptions(options: ReapOptions): void {
  assertValid(optionsSchema, options, 'reap')
}

/** One sort after the other, in the order given: a process goes before what it writes to. What fails stops nothing else. */
export async function sweep(sweepers: readonly Sweeper[]): Promise<ReapReport> {
  const report: ReapReport = { removed: [], left: [], failures: [] }
  for (const sweeper of sweepers) {
    const found = await sweeper().catch((error: Error): Leftover[] => {
      report.failures.push(`${error.message}.`)
      return []
    })
    await Promise.all(found.map((leftover) => take(leftover, report)))
  }
  return report
}

let warned = false

/** For whoever has something else to do here: what others have left is no reason to fail, and is told once. */
export async function sweepInPassing(sweepers: readonly Sweeper[]): Promise<void> {
  const { left, failures } = await sweep(sweepers)
  const troubles = [...failures, ...left.map(({ name, reason }) => `${name}: ${reason}.`)]
  if (warned || troubles.length === 0) return
  warned = true
  process.emitWarning(`Not all that dead processes have left could be removed: ${troubles.join(' ')} See \`warmcell reap\`.`, {
    code: 'WARMCELL_REAP',
  })
}

async function take(leftover: Leftover, report: ReapReport): Promise<void> {
  const what = described(leftover)
  if (leftover.keep !== undefined) {
    report.left.push({ ...what, reason: leftover.keep })
    return
  }
  try {
    if (await leftover.remove()) report.removed.push(what)
  } catch (error) {
    report.left.push({ ...what, reason: (error as Error).message })
  }
}

/** What there is to remove, without removing it. @throws when it cannot be looked for. */
export async function leftBehind(sweepers: readonly Sweeper[]): Promise<Reaped[]> {
  const found = await Promise.all(sweepers.map((sweeper) => sweeper()))
  return found
    .flat()
    .filter(({ keep }) => keep === undefined)
    .map(described)
}

function described({ kind, name, ownerPid }: Leftover): Reaped {
  return { kind, name, ...(ownerPid !== undefined && { ownerPid }) }
}
