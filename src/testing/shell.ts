/** A shell of a few words: commands joined by `;`, `&&`, `||`; quotes; variables; `exit`; output to stderr by `>&2`. */

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
  if (option !== '-c' || script === undefined) return complain(process, "the fake guest's shell only knows `sh -c SCRIPT`")
  let exitCode = 0
  const expand = (text: string): string =>
    text.replace(/\$(?:\{(\w+)\}|(\w+)|\?)/g, (whole, braced?: string, plain?: string) =>
      whole === '$?' ? String(exitCode) : (process.env[braced ?? plain ?? ''] ?? ''),
    )
  const commands = parse(script)
  if (typeof commands === 'string') return complain(process, commands)
  for (const { joint, words, toStderr } of commands) {
    if ((joint === '&&' && exitCode !== 0) || (joint === '||' && exitCode === 0)) continue
    const argv = words.map((word) => (word.startsWith("'") ? word.slice(1) : expand(word.slice(1))))
    if (argv[0] === 'exit') return Number(argv[1] ?? exitCode) & 255
    exitCode = await run({ ...process, argv, stdout: toStderr ? process.stderr : process.stdout })
  }
  return exitCode
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
