#!/usr/bin/env node
/** The command line: nothing but calls to the public API. */

import { Command, InvalidArgumentError, Option } from 'commander'
import { cpCommand } from './cp.ts'
import { doctorCommand } from './doctor.ts'
import { imageCommand } from './image.ts'
import { psCommand } from './ps.ts'
import { reapCommand } from './reap.ts'
import { reportFailure, reportWarnings } from './report.ts'
import { runCommand } from './run.ts'
import { shellCommand } from './shell.ts'
import { templateCommand } from './template.ts'
import { collectTransfer } from './transfer.ts'
import { version } from './version.ts'

const isolation = new Option(
  '--isolation <how>',
  "'hardware', or 'emulated': no security boundary, development only (default: $WARMCELL_ISOLATION, or hardware)",
).choices(['hardware', 'emulated'])

const program = new Command('warmcell')
  .description('Runs untrusted code, each piece in its own microVM.')
  .version(version())
  .showHelpAfterError('(see --help)')
  // The first word that is no option of `run` begins the command: what follows is the command's own.
  .enablePositionalOptions()

commandWithTenant('run')
  .description('Runs a command in a fresh microVM: streams, forwards stdin and signals, exits with its code.')
  .usage('[options] -- COMMAND [ARGUMENT...]')
  .argument('<command...>', 'the command and its arguments, without a shell')
  .option('--timeout <seconds>', 'ends the command after this time, with exit code 124', positive)
  .option('--upload <HOST:GUEST>', 'a file or tree of this host, before the command (repeatable)', collectTransfer, [])
  .option('--download <GUEST:HOST>', 'a file or tree of the guest, after it, even if it failed (repeatable)', collectTransfer, [])
  .addHelpText('after', '\nExample:\n  warmcell run --isolation emulated -- sh -c \'echo "hello from $(uname -sr)"\'')
  .action(runCommand)

commandWithTenant('shell')
  .description('Opens a terminal in a fresh microVM, with a shell or another program, and exits with its code.')
  .usage('[options] [-- COMMAND [ARGUMENT...]]')
  .argument('[command...]', "what runs at the terminal (default: the user's login shell)")
  .addHelpText('after', '\nExample:\n  warmcell shell --isolation emulated --user root')
  .action(shellCommand)

commandWithMicrovm('cp')
  .description(
    'Copies a file or tree out of a fresh microVM: what its template has made. A target that ends with / is a directory to put it into.',
  )
  .argument('<guest:path>', 'of the guest')
  .argument('<path>', 'of this host')
  .addHelpText('after', '\nExample:\n  warmcell cp --isolation emulated --file build.json guest:/srv/app/dist ./dist')
  .action(cpCommand)

program
  .command('doctor')
  .description('Says what this host can run, what it lacks, and the command that mends it.')
  .option('--json', 'prints the report as JSON')
  .action(doctorCommand)

program
  .command('ps')
  .description('Lists the microVMs of this user on this host, whichever program made them.')
  .option('--json', 'prints the list as JSON')
  .action(psCommand)

program
  .command('reap')
  .description('Removes what processes that were killed have left: microVMs, half-made templates, traces.')
  .option('--json', 'prints the report as JSON')
  .action(reapCommand)

program.addCommand(templateCommand(isolation))
program.addCommand(imageCommand())

/** One that makes a microVM and runs a tenant's program in it, whose own options come behind. */
function commandWithTenant(name: string): Command {
  return commandWithMicrovm(name)
    .option('-e, --env <NAME=VALUE>', 'an environment variable; NAME alone takes its value from here (repeatable)', collect, [])
    .option('-u, --user <user>', 'who runs it: a name or uid[:gid] of the guest')
    .option('-w, --cwd <path>', 'where it runs')
    .passThroughOptions()
}

function commandWithMicrovm(name: string): Command {
  return program
    .command(name)
    .option(
      '-f, --file <path>',
      "its template's spec: what `templates` of createPool takes, as JSON, or exported by a module (.ts, .mts, .js, .mjs)",
    )
    .option('--memory <MiB>', "the guest's memory", positive)
    .option('--vcpus <count>', 'virtual processors', positive)
    .option('-q, --quiet', 'prints nothing of its own')
    .addOption(isolation)
}

function positive(text: string): number {
  const number = Number(text)
  if (Number.isFinite(number) && number > 0) return number
  throw new InvalidArgumentError('Expected a number above 0.')
}

function collect(value: string, before: string[]): string[] {
  return [...before, value]
}

reportWarnings()
program.hook('preAction', (_, command) => {
  if (command.opts().quiet === true) process.removeAllListeners('warning')
})
program.parseAsync().catch(reportFailure)
