/** The programs that every fake guest has: enough for a test to run something. */

import { posix } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { FakeProgram } from './program.ts'
import { shell } from './shell.ts'

const cat: FakeProgram = async ({ argv, cwd, files, stdin, stdout, stderr }) => {
  const names = argv.slice(1)
  if (names.length === 0) for await (const chunk of stdin) await stdout.write(chunk)
  let exitCode = 0
  for (const name of names) {
    const data = files.get(posix.resolve(cwd, name))
    if (data !== undefined) await stdout.write(data)
    else {
      await stderr.write(`cat: ${name}: No such file or directory\n`)
      exitCode = 1
    }
  }
  return exitCode
}

const echo: FakeProgram = async ({ argv, stdout }) => {
  await stdout.write(`${argv.slice(1).join(' ')}\n`)
  return 0
}

const env: FakeProgram = async ({ env: variables, stdout }) => {
  for (const [name, value] of Object.entries(variables)) await stdout.write(`${name}=${value}\n`)
  return 0
}

const pwd: FakeProgram = async ({ cwd, stdout }) => {
  await stdout.write(`${cwd}\n`)
  return 0
}

const sleep: FakeProgram = async ({ argv, signal }) => {
  const seconds = argv[1] === 'infinity' ? 2_147_483 : Number(argv[1])
  if (!(seconds >= 0)) throw new Error(`sleep: invalid time interval '${argv[1]}'`)
  await delay(seconds * 1_000, undefined, { signal })
  return 0
}

const whoami: FakeProgram = async ({ user, stdout }) => {
  await stdout.write(`${user}\n`)
  return 0
}

/** `[ -x NAME ]`: whether there is a program of that name. Nothing else of test(1). */
const test: FakeProgram = ({ argv, programs }) => {
  const [, operator, name, end] = argv
  if (operator !== '-x' || (name === ']' && end === undefined)) return 1
  return programs.has(posix.basename(name ?? '')) ? 0 : 1
}

/** By name. */
export const builtinPrograms: Readonly<Record<string, FakeProgram>> = {
  '[': test,
  cat,
  echo,
  env,
  false: () => 1,
  pwd,
  sh: shell,
  sleep,
  true: () => 0,
  whoami,
}
