/** A program with all that it is made of, in a directory of its own: what a confined process sees in place of the host's file system. */

import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, constants, copyFile, mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { LaunchedProgram } from '../../hypervisor/index.ts'
import { fingerprint } from '../file-digest.ts'
import { leftIn, ownerInPart } from '../leftover.ts'
import { preparePrivateDirectory } from '../private-directory.ts'
import { identityText, ownIdentity } from '../process-identity.ts'

/** Where the tree is for the process in it. Its own directory: whatever else the process is shown keeps the path it has on the host. */
const treePath = '/program'

/** To say what it is linked with takes milliseconds, seconds on a host that swaps. */
const linkerDeadlineMs = 5_000

/** The files of a tree: where in it, and whose copy. */
type TreeFiles = ReadonlyMap<string, string>

export class ProgramTree {
  readonly hostPath: string
  readonly #loaded: ReadonlyMap<string, boolean>
  readonly #data: ReadonlyMap<string, string>

  private constructor(hostPath: string, loaded: ReadonlyMap<string, boolean>, data: ReadonlyMap<string, string>) {
    this.hostPath = hostPath
    this.#loaded = loaded
    this.#data = data
  }

  /**
   * Copies the program, its data and helpers with the libraries of each into a directory below `hostDirectory` that is named by what they are, or finds them there. A
   * library that is replaced on the host makes another tree.
   *
   * @throws an Error that says why the program cannot stand alone, or what the file system says.
   */
  static async prepare(hostDirectory: string, program: LaunchedProgram, helpers: readonly string[]): Promise<ProgramTree> {
    const files = new Map<string, string>()
    const loaded = new Map<string, boolean>()
    const programs = [program.hostPath, ...helpers]
    const linked = await Promise.all(programs.map(async (hostPath) => ({ hostPath, libraries: await librariesOf(hostPath) })))
    for (const { hostPath, libraries } of linked) {
      loaded.set(hostPath, libraries.loader !== undefined)
      files.set(join('bin', basename(hostPath)), hostPath)
      if (libraries.loader !== undefined) files.set('loader', libraries.loader)
      for (const library of libraries.paths) files.set(join('lib', basename(library)), library)
    }
    const data = new Map(program.hostDataPaths.map((hostPath, index) => [hostPath, join('data', String(index))]))
    for (const [hostPath, name] of data) files.set(name, hostPath)
    return new ProgramTree(await store(hostDirectory, files), loaded, data)
  }

  /** What the process is shown of it, by the path that it has for it. */
  get mounts(): readonly (readonly [hostPath: string, path: string])[] {
    const data = [...this.#data].map(([path, name]) => [join(this.hostPath, name), path] as const)
    return [[this.hostPath, treePath], ...data]
  }

  /** The command that runs the program, or a helper, in it. */
  command(hostPath: string): string[] {
    const program = join(treePath, 'bin', basename(hostPath))
    const needsLoader = this.#loaded.get(hostPath) ?? false
    return needsLoader ? [join(treePath, 'loader'), '--library-path', join(treePath, 'lib'), program] : [program]
  }
}

/** The loader that starts it and the libraries that it loads; neither for a program that is linked statically. */
async function librariesOf(hostPath: string): Promise<{ loader?: string; paths: string[] }> {
  await assertElf(hostPath)
  const { stdout } = await promisify(execFile)('ldd', [hostPath], {
    timeout: linkerDeadlineMs,
    env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
  }).catch((error: Error & { stdout?: string; stderr?: string }) => {
    if (/not a dynamic executable/.test(`${error.stdout}${error.stderr}`)) return { stdout: '' }
    throw new Error(`ldd cannot tell what ${hostPath} is linked with: ${error.message.split('\n')[0]}`)
  })
  const missing = /^\s*(\S+) => not found/m.exec(stdout)?.[1]
  if (missing !== undefined) throw new Error(`${hostPath} needs ${missing}, which is not there`)
  const paths = [...stdout.matchAll(/=> (\/\S+) \(/g)].map(([, path]) => path as string)
  const loader = /^\s*(\/\S+) \(/m.exec(stdout)?.[1]
  return { ...(loader !== undefined && { loader }), paths }
}

/** A script stands for another program, and that for others: what it needs cannot be told. */
async function assertElf(hostPath: string): Promise<void> {
  const file = await open(hostPath, 'r')
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0)
    if (buffer.toString('latin1') !== '\x7fELF') throw new Error(`${hostPath} is not a program of the machine but a script`)
  } finally {
    await file.close()
  }
}

async function store(hostDirectory: string, files: TreeFiles): Promise<string> {
  await preparePrivateDirectory(hostDirectory)
  const hostPath = join(hostDirectory, await keyOf(files))
  await sweepDrafts(hostDirectory)
  if (existsSync(hostPath)) return hostPath
  const draft = `${hostPath}.${identityText(await ownIdentity())}.${randomBytes(4).toString('hex')}`
  try {
    for (const [name, source] of files) {
      const target = join(draft, name)
      await mkdir(dirname(target), { recursive: true, mode: 0o755 })
      await copyFile(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
      await chmod(target, 0o555)
    }
    // Whatever this process's umask: another user has to find its way in it.
    for (const name of new Set(['.', ...[...files.keys()].map(dirname)])) await chmod(join(draft, name), 0o755)
    await rename(draft, hostPath)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    const { code } = error as NodeJS.ErrnoException
    // Another process was as quick.
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error
  }
  return hostPath
}

/** By what each file is now, not by what it holds: to read 60 MB would take longer than all else. */
async function keyOf(files: TreeFiles): Promise<string> {
  const digest = createHash('sha256')
  const described = [...files]
    .sort()
    .map(async ([name, source]) => `${name}\0${source}\0${fingerprint(await stat(source, { bigint: true }))}\0`)
  for (const line of await Promise.all(described)) digest.update(line)
  return digest.digest('hex').slice(0, 32)
}

/** Those of processes that were killed meanwhile. */
async function sweepDrafts(hostDirectory: string): Promise<void> {
  const remove = (hostPath: string): Promise<boolean> => rm(hostPath, { recursive: true, force: true }).then(() => true)
  const drafts = await leftIn(hostDirectory, { kind: 'file', parse: (name) => ownerInPart(name, 1), remove })
  for (const draft of drafts) await draft.remove()
}
