// What the runs of both targets share: where they work, and how a program is run whose output is shown as it comes.
import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export const repository = fileURLToPath(new URL('..', import.meta.url))

/** Kept from run to run, so that the next one goes on where this one has come to. */
export function workplace(target) {
  const cache = process.env.WARMCELL_CACHE_DIR ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'warmcell')
  const place = (name) => {
    const directory = join(cache, 'fuzz', target, name)
    mkdirSync(directory, { recursive: true })
    return directory
  }
  return {
    build: place('build'),
    seeds: place('seeds'),
    corpus: place('corpus'),
    found: join(repository, 'fuzz', 'found', target),
  }
}

/** What libFuzzer says of each input that it keeps: thousands of lines. What it comes to is said now and then (`pulse`) and in the end. */
const everyInput = /^#\d+\t(NEW|REDUCE|RELOAD)/

/** Resolves with its exit code, or 128 when a signal ended it. Its output is shown as it comes. */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: repository, stdio: ['ignore', 'inherit', 'pipe'], ...options })
    createInterface(child.stderr).on('line', (line) => everyInput.test(line) || console.error(line))
    child.once('error', reject)
    child.once('close', (code) => resolve(code ?? 128))
  })
}

/** The verdict on a run that wrote what it found into `found`. */
export function verdict(before, found, exitCode) {
  const fresh = readdirSync(found).filter((name) => !before.has(name))
  if (fresh.length > 0)
    return { outcome: 'found', detail: fresh.map((name) => relative(repository, join(found, name))).join(', ') }
  if (exitCode !== 0) return { outcome: 'found', detail: `the fuzzer ended with ${exitCode}; its output says why` }
  return { outcome: 'passed', detail: 'nothing was found' }
}
