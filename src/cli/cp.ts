/** `warmcell cp`: out of a fresh microVM of a template, such as what its setup has made. */

import { WarmcellError } from '../index.ts'
import { interruptible } from './interruption.ts'
import { type MicrovmChoices, withMicrovm } from './microvm.ts'
import { download } from './transfer.ts'

const guestPrefix = 'guest:'

export async function cpCommand(from: string, to: string, options: MicrovmChoices): Promise<void> {
  const path = guestSource(from, to)
  await interruptible(async (signal) => {
    await withMicrovm(options, signal, (sandbox) => download(sandbox, { from: path, to }, signal, options.quiet))
  })
}

/** @throws `INVALID_ARGUMENT` */
function guestSource(from: string, to: string): string {
  if (from.startsWith(guestPrefix) && from.length > guestPrefix.length && !to.startsWith(guestPrefix))
    return from.slice(guestPrefix.length)
  throw new WarmcellError('INVALID_ARGUMENT', `cp ${from} ${to}: expected guest:PATH and then a path of this host.`, {
    hint: 'What is copied into a microVM would go with it: warmcell run --upload HOST:GUEST has a command use it first.',
  })
}
