/** `warmcell image`: the container images of this host, pulled ahead of time and cleared away. */

import { Command } from 'commander'
import { type ImageEvent, openImages } from '../index.ts'
import { interruptible } from './interruption.ts'
import { days, megabytes, msOfADay } from './numbers.ts'
import { colour, printable, say, withProgress } from './report.ts'

export function imageCommand(): Command {
  const command = new Command('image').description('Pulls container images to make templates of, and removes them.')
  command
    .command('pull')
    .description('Pulls an image, makes a disk of it, and prints its digest. Templates whose root it is then need no registry.')
    .argument('<reference>', "as for docker: 'python:3.12-slim'; or oci:PATH[:TAG], docker-archive:PATH[:NAME]")
    .option('-q, --quiet', 'prints nothing but the digest')
    .addHelpText('after', '\nExample:\n  warmcell image pull docker.io/library/python:3.12-slim')
    .action(pull)
  command
    .command('prune')
    .description(
      'Removes what killed pulls have left, and on demand what no living process uses. It is pulled anew when it is asked for.',
    )
    .option('--all', 'removes everything that no living process uses')
    .option('--unused <days>', 'removes what no living process uses and nobody has asked for in so many days', days)
    .action(prune)
  return command
}

async function pull(reference: string, { quiet = false }: { quiet?: boolean }): Promise<void> {
  await interruptible(async (signal) => {
    const images = await openImages()
    const startedAt = performance.now()
    const { digest, sizeBytes } = await withProgress(
      `pulling ${reference}`,
      (show) => images.pull(reference, { signal, onEvent: (event) => show(described(event)) }),
      quiet,
    )
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
    if (!quiet) say(colour('dim', `${printable(reference)}: ${megabytes(sizeBytes)} MB, ${seconds} s`))
    process.stdout.write(`${digest}\n`)
  })
}

function described(event: ImageEvent): string {
  if (event.type === 'pull') return `pulling ${event.reference}: ${event.layers} layers, ${megabytes(event.bytes)} MB`
  const verb = event.type === 'transfer' ? 'pulling' : 'making a disk of'
  return `${verb} ${event.reference}: ${megabytes(event.doneBytes)} of ${megabytes(event.totalBytes)} MB`
}

async function prune({ all = false, unused }: { all?: boolean; unused?: number }): Promise<void> {
  const images = await openImages()
  const { disks, blobs, freedBytes } = await images.prune({
    all,
    ...(unused !== undefined && { unusedForMs: unused * msOfADay }),
  })
  if (freedBytes === 0) say('There was nothing to remove.')
  else process.stdout.write(`removed ${disks} disks and ${blobs} blobs, ${megabytes(freedBytes)} MB\n`)
}
