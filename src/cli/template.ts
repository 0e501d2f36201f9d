/** `warmcell template`: what is stored on this host, built ahead of time and cleared away. */

import { Command, InvalidArgumentError, type Option } from 'commander'
import yoctoSpinner from 'yocto-spinner'
import { type BuildEvent, type Isolation, openTemplates, type TemplateRecord } from '../index.ts'
import { interruptible } from './interruption.ts'
import { days, megabytes, mib, msOfADay } from './numbers.ts'
import { colour, say } from './report.ts'
import { type SpecChoices, specOf } from './spec.ts'
import { tableLines } from './table.ts'

interface Shared {
  isolation?: Isolation
}

interface BuildChoices extends Shared, SpecChoices {
  verbose?: boolean
}

/** Digits of a digest that are shown: enough to name it by. */
const digestDigits = 12

export function templateCommand(isolation: Option): Command {
  const command = new Command('template').description(
    'Builds, lists and removes templates: microVMs booted and set up once, to be cloned.',
  )
  command
    .command('list')
    .description('Lists what is stored on this host.')
    .option('--stages', 'also what is kept of their setups, command by command')
    .option('--json', 'prints the list as JSON')
    .addOption(isolation)
    .action(list)
  command
    .command('build')
    .description('Builds a template, or finds it built, and prints its digest. A pool with an equal spec then has it at once.')
    .argument('[name]', 'what to call it', 'base')
    .option(
      '-f, --file <path>',
      'its spec: what `templates` of createPool takes, as JSON, or exported by a module (.ts, .mts, .js, .mjs)',
    )
    .option('--memory <MiB>', "the guest's memory", whole)
    .option('--vcpus <count>', 'virtual processors', whole)
    .option('--setup <command>', 'run once as root before the snapshot (repeatable)', collect, [])
    .option('--start <command>', 'started before the snapshot, and left running in every clone')
    .option('-v, --verbose', 'shows what the commands print')
    .addOption(isolation)
    .addHelpText('after', "\nExample:\n  warmcell template build greeter --setup 'echo hello > /srv/greeting'")
    .action(build)
  command
    .command('rm')
    .description('Removes templates. Sandboxes that run are not touched.')
    .argument('<name...>', 'a name, or a digest of which six digits are enough')
    .addOption(isolation)
    .action(remove)
  command
    .command('prune')
    .description(
      'Removes templates that are never used again: made with another guest image, hypervisor, processor or root, or damaged; and stages of setups unused for a week.',
    )
    .option('--all', 'removes every template')
    .option('--unused <days>', 'also those that nobody has asked for in so many days', days)
    .addOption(isolation)
    .action(prune)
  return command
}

async function list(options: Shared & { json?: boolean; stages?: boolean }): Promise<void> {
  const { stages = false } = options
  const records = await (await openTemplates(given(options))).list({ stages })
  if (options.json === true) process.stdout.write(`${JSON.stringify(records, null, 2)}\n`)
  else if (records.length === 0) say('There are no templates here.')
  else print(records)
}

async function build(name: string, options: BuildChoices): Promise<void> {
  await interruptible(async (signal) => {
    const spec = await specOf(options)
    const templates = await openTemplates(given(options))
    const progress = new Progress(name, options.verbose === true)
    try {
      const { digest, sizeBytes } = await templates.build(name, spec, { signal, onEvent: (event) => progress.show(event) })
      progress.end()
      say(colour('dim', `${name}: ${progress.elapsed()}, ${mib(sizeBytes)} MiB`))
      process.stdout.write(`${digest}\n`)
    } finally {
      progress.end()
    }
  })
}

async function remove(names: string[], options: Shared): Promise<void> {
  const templates = await openTemplates(given(options))
  for (const name of names) {
    const removed = await templates.remove(name)
    if (removed.length > 0) tell(removed)
    else {
      say(`There is no template '${name}' here.`)
      process.exitCode = 1
    }
  }
}

async function prune(options: Shared & { all?: boolean; unused?: number }): Promise<void> {
  const { all = false, unused } = options
  const templates = await openTemplates(given(options))
  tell(await templates.prune({ all, ...(unused !== undefined && { unusedForMs: unused * msOfADay }) }))
}

/** What a build is doing: one line that changes at a terminal, a line a step elsewhere and where output is shown between. */
class Progress {
  readonly #name: string
  readonly #verbose: boolean
  readonly #startedAt = performance.now()
  readonly #spinner: ReturnType<typeof yoctoSpinner> | undefined
  #built = false

  constructor(name: string, verbose: boolean) {
    this.#name = name
    this.#verbose = verbose
    if (process.stderr.isTTY && !verbose) this.#spinner = yoctoSpinner({ text: name, handleSignals: false })
  }

  show(event: BuildEvent): void {
    if (event.type === 'output') {
      if (this.#verbose) process.stderr.write(event.text)
      return
    }
    const { step } = event
    this.#built ||= !['pull', 'disk', 'wait'].includes(step)
    const detail = event.type === 'step' ? event.detail : `${megabytes(event.doneBytes)} of ${megabytes(event.totalBytes)} MB`
    const text = `${this.#name}: ${step}: ${detail}`
    if (this.#spinner === undefined) {
      // A line for each tenth of a second would bury all others.
      if (event.type === 'step') say(colour('dim', text))
      return
    }
    this.#spinner.text = text
    if (!this.#spinner.isSpinning) this.#spinner.start()
  }

  /** Idempotent. */
  end(): void {
    if (this.#spinner?.isSpinning) this.#spinner.stop()
  }

  elapsed(): string {
    return this.#built ? `built in ${((performance.now() - this.#startedAt) / 1_000).toFixed(1)} s` : 'was there already'
  }
}

function print(records: readonly TemplateRecord[]): void {
  const rows = records.map((record) => {
    const { digest, sizeBytes, createdAt, place, state } = record
    const since = createdAt.toISOString().slice(0, 16).replace('T', ' ')
    return [nameOf(record), digest.slice(0, digestDigits), `${mib(sizeBytes)} MiB`, since, place, state]
  })
  const headings = ['NAME', 'DIGEST', 'SIZE', 'CREATED (UTC)', 'PLACE', 'STATE']
  for (const [index, line] of tableLines(headings, rows).entries()) {
    const reason = records[index - 1]?.reason
    process.stdout.write(`${line}\n${reason ? `  ${colour('dim', `→ ${reason}`, process.stdout)}\n` : ''}`)
  }
}

function tell(removed: readonly TemplateRecord[]): void {
  if (removed.length === 0) say('There was nothing to remove.')
  for (const record of removed) process.stdout.write(`removed ${nameOf(record)} ${record.digest.slice(0, digestDigits)}\n`)
}

/** With how far its setup has come, where it is a stage. */
function nameOf({ name, stage }: Pick<TemplateRecord, 'name' | 'stage'>): string {
  return `${name || '?'}${stage === undefined ? '' : ` (setup ${stage})`}`
}

function given({ isolation }: Shared): Shared {
  return isolation === undefined ? {} : { isolation }
}

function whole(text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number above 0.')
}

function collect(value: string, before: string[]): string[] {
  return [...before, value]
}
