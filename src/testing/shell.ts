/** A shell of a few words: commands joined by `;`, `&&`, `||`; quotes; variables; `exit`, `exec`; output to stderr by `>&2`; lines that are typed. */

import { posix } from 'node:path'
import type { FakeProcess, FakeProgram } from './program.ts'

type Joint = ';' | '&&' | '||'

interface Command {
  /** What stands between it and the command before. */
  readonly joint: Joint
  readonly words: string[]
  toStderr: boolean
}

/** One token: blank, a joint, the one redirection, a piece of a word, or something this shell does not know. */
const tokens =
  /(?<blank>[ \t]+)|(?<joint>;|\n|&&|\|\|)|(?<redirect>1?>&2)|'(?<single>[^']*)'|"(?<double>(?:[^"\\`]|\\.)*)"|(?<bare>(?:\$\?|[^\s;&|<>()'"`*?\\]|\\.)+)|(?<unknown>.)/gsy

export const shell: FakeProgram = async (process) => {
  const [, option, script] = process.argv
  if (option === undefined || option === '-l') return interact(process)
  if (option !== '-c' || script === undefined)
    return complain(process, "the fake guest's shell only knows `sh -c SCRIPT`, and lines that are typed")
  return (await interpret(process, script)).exitCode
}

/** Runs one line after another; at a terminal it asks for them. */
async function interact(process: FakeProcess): Promise<number> {
  const prompt = async (): Promise<void> => {
    if (process.terminal !== undefined) await process.stdout.write('$ ')
  }
  process.onSignal('SIGINT', () => void prompt().catch(() => {}))
  await prompt()
  let outcome: Outcome = { exitCode: 0, exited: false }
  let typed = ''
  for await (const chunk of process.stdin) {
    const lines = (typed + Buffer.from(chunk).toString()).split(/\r\n|\r|\n/)
    typed = lines.pop() ?? ''
    for (const line of lines) {
      outcome = await interpret(process, line, outcome.exitCode)
      if (outcome.exited) return outcome.exitCode
      await prompt()
    }
  }
  return outcome.exitCode
}

interface Outcome {
  readonly exitCode: number
  /** The script has ended the shell. */
  readonly exited: boolean
}

async function interpret(process: FakeProcess, script: string, before = 0): Promise<Outcome> {
  let exitCode = before
  const expand = (text: string): string =>
    text.replace(/\$(?:\{(\w+)\}|(\w+)|\?)/g, (whole, braced?: string, plain?: string) =>
      whole === '$?' ? String(exitCode) : (process.env[braced ?? plain ?? ''] ?? ''),
    )
  const commands = parse(script)
  if (typeof commands === 'string') return { exitCode: await complain(process, commands), exited: false }
  for (const { joint, words, toStderr } of commands) {
    if ((joint === '&&' && exitCode !== 0) || (joint === '||' && exitCode === 0)) continue
    const argv = words.map((word) => (word.startsWith("'") ? word.slice(1) : expand(word.slice(1))))
    if (argv[0] === 'exit') return { exitCode: Number(argv[1] ?? exitCode) & 255, exited: true }
    const replaces = argv[0] === 'exec'
    const stdout = toStderr ? process.stderr : process.stdout
    exitCode = await run({ ...process, argv: replaces ? argv.slice(1) : argv, stdout })
    if (replaces) return { exitCode, exited: true }
  }
  return { exitCode, exited: false }
}

async function run(process: FakeProcess): Promise<number> {
  const name = process.argv[0] ?? ''
  const program = process.programs.get(posix.basename(name))
  if (program !== undefined) return program(process)
  await process.stderr.write(`sh: ${name}: not found\n`)
  return 127
}

async function complain(process: FakeProcess, message: string): Promise<number> {
  await process.stderr.write(`sh: ${message}\n`)
  return 2
}

/** The commands of a script, each word with a mark before it: `'` for one that is taken as it is, `"` for one with variables in it. */
function parse(script: string): Command[] | string {
  let current: Command = { joint: ';', words: [], toStderr: false }
  const commands = [current]
  let glued = false
  for (const { groups = {} } of script.matchAll(tokens)) {
    const { joint, redirect, single, double, bare, unknown } = groups
    const word = single ?? double ?? bare
    if (unknown !== undefined) return `the fake guest's shell does not know '${unknown}'`
    if (joint !== undefined) {
      current = { joint: joint === '\n' ? ';' : (joint as Joint), words: [], toStderr: false }
      commands.push(current)
    } else if (redirect !== undefined) current.toStderr = true
    else if (word !== undefined) {
      if (glued) return "the fake guest's shell does not join quoted and other text to one word"
      current.words.push(single === undefined ? `"${word.replace(/\\(.)/gs, '$1')}` : `'${word}`)
    }
    glued = word !== undefined
  }
  return commands.filter(({ words }) => words.length > 0)
}
