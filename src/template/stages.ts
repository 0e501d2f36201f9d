/** Which beginnings of a template's setup are kept as snapshots of their own, and what a build may go on from: pure. */

import { type KeyInputs, templateKey } from './key.ts'

/** A template's setup up to one of its commands. */
export interface Stage {
  /** How many commands have been run in it. */
  readonly commands: number
  readonly inputs: KeyInputs
  readonly key: string
}

/**
 * Those that a build keeps, shortest first: one after each command, but not after the last where nothing comes behind it, for there the template itself is it.
 */
export function stagesOf(inputs: KeyInputs): Stage[] {
  const { setup } = inputs
  const keptMax = endsWithSetup(inputs) ? setup.length - 1 : setup.length
  return upTo(keptMax).map((commands) => stageAfter(commands, inputs))
}

/**
 * What a build may go on from, best first: the stages of its setup, whoever has kept them, and the whole templates that it begins with. What such a one was exercised by
 * is the user's of both, and leaves nothing behind but what is in memory already.
 */
export function originsOf(inputs: KeyInputs): Stage[] {
  const { length } = inputs.setup
  const stages = upTo(length).map((commands) => stageAfter(commands, inputs))
  const wholes = upTo(endsWithSetup(inputs) ? length - 1 : length).map((commands) =>
    stageOf(commands, { ...inputs, start: null, ready: null }),
  )
  return [...stages, ...wholes].sort((a, b) => b.commands - a.commands)
}

/** Nothing is started or waited for when its setup has been run. */
function endsWithSetup({ start, ready }: KeyInputs): boolean {
  return start === null && ready === null
}

/** What comes later is not in its key, and what only concerns that is not either. */
function stageAfter(commands: number, inputs: KeyInputs): Stage {
  return stageOf(commands, { ...inputs, user: null, cwd: null, start: null, ready: null })
}

function stageOf(commands: number, whole: KeyInputs): Stage {
  const inputs = { ...whole, setup: whole.setup.slice(0, commands) }
  return { commands, inputs, key: templateKey(inputs) }
}

function upTo(last: number): number[] {
  return Array.from({ length: Math.max(0, last) }, (_, index) => index + 1)
}
