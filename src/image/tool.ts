/** Programs of the system that an image's bytes go through: whoever made the bytes may have meant them to take such a program over. */

import type { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { foreignText } from '../common/text.ts'
import { WarmcellError } from '../errors.ts'
import { HeldProgram, type ProgramUse } from '../host/index.ts'

/** What a program says of its failure, in characters: its last words name the reason. */
const wordsCharsMax = 300

/** For one that only says its version. */
const sayingMemoryMib = 256

/** Programs that are needed, and the packages of Debian and Ubuntu that have them. */
const packages = { tar2sqfs: 'squashfs-tools-ng', zstd: 'zstd' } as const
export type ToolName = keyof typeof packages

export interface Tool {
  readonly stdin: Writable
  readonly stdout: Readable
  /** @throws `IMAGE` with its own words when it has failed */
  readonly ended: Promise<void>
  /** Ends it, however far it is; resolves when it is gone. */
  kill(): Promise<void>
}

/** Where they are, in words. @throws `HOST_UNSUPPORTED` with what to install when one is not there */
export async function imageToolsThere(): Promise<string> {
  const places: string[] = []
  for (const name of Object.keys(packages) as ToolName[]) places.push((await HeldProgram.where(name)) ?? notThere(name))
  return `Container images can be made disks: ${places.join(', ')}`
}

/** What is found out of each is found out once. */
export class Tools {
  readonly #hostDirectory: string
  readonly #programs = new Map<ToolName, Promise<HeldProgram>>()
  readonly #versions = new Map<ToolName, Promise<string>>()

  /** @param hostDirectory of this user alone: what the programs see of the host is kept there */
  constructor(hostDirectory: string) {
    this.#hostDirectory = hostDirectory
  }

  /** @throws `HOST_UNSUPPORTED` where there is no such program; `IMAGE` when it cannot be started */
  async start(name: ToolName, use: ProgramUse): Promise<Tool> {
    const program = await remembered(this.#programs, name, () => this.#find(name))
    const launched = await program.start(use).catch((cause: Error) => {
      throw new WarmcellError('IMAGE', `${name} could not be started: ${cause.message}`, { cause })
    })
    const { input, output } = launched.standard
    const ended = launched.ended.then(({ exitCode, signal }) => {
      if (exitCode !== 0) throw failure(name, exitCode ?? signal, launched.logTail())
    })
    ended.catch(() => {})
    return {
      stdin: input,
      stdout: output,
      ended,
      kill: () => {
        launched.signal('SIGKILL')
        // What nobody reads any more would keep the pipe open.
        output.destroy()
        return ended.catch(() => {})
      },
    }
  }

  /** What it says of itself: its name and version. @throws as {@link start}, and when it fails */
  version(name: ToolName): Promise<string> {
    return remembered(this.#versions, name, async () => {
      const tool = await this.start(name, { args: ['--version'], memoryMib: sayingMemoryMib })
      tool.stdin.end()
      const [words] = await Promise.all([text(tool.stdout), tool.ended])
      return foreignText(words.split('\n')[0] ?? '')
    })
  }

  async #find(name: ToolName): Promise<HeldProgram> {
    return (await HeldProgram.find(name, this.#hostDirectory)) ?? notThere(name)
  }
}

function notThere(name: ToolName): never {
  throw new WarmcellError('HOST_UNSUPPORTED', `There is no ${name} on this host, which container images need.`, {
    hint: `Install it: apt-get install ${packages[name]}`,
  })
}

/** What `find` has found under the key, now or before; a failure is forgotten. */
function remembered<K, V>(found: Map<K, Promise<V>>, key: K, find: () => Promise<V>): Promise<V> {
  const before = found.get(key)
  if (before !== undefined) return before
  const finding = find()
  found.set(key, finding)
  finding.catch(() => found.delete(key))
  return finding
}

function failure(name: ToolName, how: number | NodeJS.Signals | null, words: string): WarmcellError {
  const said = words === '' ? '' : `: ${foreignText(words.replace(/\s+/g, ' ').trim(), wordsCharsMax)}`
  return new WarmcellError('IMAGE', `${name} has ended with ${how}${said}.`)
}
