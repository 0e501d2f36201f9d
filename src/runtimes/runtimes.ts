/** Ready-made templates: an interpreter that is already running in every clone, and answers `runCode`. */

import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { packageDirectory } from '../common/package-directory.ts'
import type { TemplateSpec } from '../template/index.ts'

/** A template with an interpreter: what it starts is a list, so that more can be said at its end. */
export interface RuntimeSpec extends TemplateSpec {
  setup: string[]
  start: string[]
  ready: { port: number }
  interpreters: Readonly<Record<string, { port: number }>>
}

/** Where the drivers lie in the guest. */
const guestDirectory = '/usr/lib/warmcell'

/** Below what Linux gives to outgoing connections (32,768 and up), above what needs a privilege, and not what anybody's server uses. */
const ports = { python: 21_301, node: 21_302 } as const

/**
 * Templates that answer `runCode`, on the official images of their languages; `root` may name any other that has the language and a shell. What `start` is given beyond is imported
 * before the snapshot, and so is in memory in every clone.
 *
 * @example
 * ```ts
 * const { python } = runtimes
 * const templates = { python: { ...python, start: [...python.start, 'json', 'decimal'] } }
 * await using pool = await createPool({ isolation: 'emulated', templates })
 * const sandbox = await pool.createSandbox({ template: 'python' })
 * await sandbox.runCode('x = 20')
 * console.log((await sandbox.runCode('x + 1')).text) // 21
 * ```
 */
export const runtimes: { readonly python: RuntimeSpec; readonly node: RuntimeSpec } = {
  /** Python 3.11 or newer, as `python3` in the PATH of the root. */
  get python() {
    return specOf('python', 'docker.io/library/python:3.12-slim', ['python3', `${guestDirectory}/python/driver.py`])
  },
  /**
   * Node 18 or newer, as `node` in the PATH of the root. Without V8's collection of garbage in idle times: in a clone that wakes, its time would have come in every
   * process at once. Measured emulated: the first answer took half a second more.
   */
  get node() {
    const program = ['node', '--no-memory-reducer', `${guestDirectory}/node/driver.cjs`]
    return specOf('node', 'docker.io/library/node:22-slim', program)
  },
}

function specOf(language: 'python' | 'node', oci: string, program: string[]): RuntimeSpec {
  const port = ports[language]
  return {
    root: { oci },
    setup: [installing(language)],
    start: [...program, String(port)],
    ready: { port },
    interpreters: { [language]: { port } },
  }
}

/**
 * A command that writes the files of a driver into the root, whatever the root has beside a shell and cat. It is one of its own, so that it is run once for all that comes behind it; it
 * must be shorter than Linux lets an argument be, which is 128 KiB.
 */
function installing(language: string): string {
  const hostDirectory = join(packageDirectory(), 'runtimes', language)
  const commands = filesBelow(hostDirectory).map((path) => {
    const guestPath = posix.join(guestDirectory, language, path)
    const text = readFileSync(join(hostDirectory, path), 'utf8')
    const write = `mkdir -p ${posix.dirname(guestPath)} && cat > ${guestPath} <<'${mark}' && chmod 644 ${guestPath}\n`
    return `${write}${text.endsWith('\n') ? text : `${text}\n`}${mark}\n`
  })
  return `set -e; umask 022\n${commands.join('')}`
}

/** No line of a driver is this. */
const mark = 'END_OF_A_FILE_OF_WARMCELL'

/** What runs, and not what is said about it. */
const running = /\.(py|cjs)$/

function filesBelow(hostDirectory: string): string[] {
  const entries = readdirSync(hostDirectory, { recursive: true, encoding: 'utf8' })
  return entries
    .filter((path) => running.test(path))
    .map((path) => path.split('\\').join('/'))
    .sort()
}
