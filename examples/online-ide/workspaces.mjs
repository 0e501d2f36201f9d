// Which tenant has which sandbox: made when first asked for, found again while it lives, forgotten when it ends.
import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'

const home = '/home/user'
export const directory = `${home}/project`
/** A microVM in which nothing has happened for so long is given back. */
const idleMs = 15 * 60_000

/** What every workspace begins as. It is set up once, before the snapshot: whatever takes time belongs here. */
export const template = {
  resources: { memoryMib: 128, diskMib: 64, pids: 128 },
  setup: [
    `mkdir ${directory} && chown user:user ${directory}`,
    // The prompt of the terminals: the host's name dim, the directory in colour.
    String.raw`printf '%s\n' "PS1='\[\033[2m\]\h\[\033[0m\] \[\033[1;34m\]\w\[\033[0m\] \$ '" "alias ls='ls --color'" >> /etc/profile`,
  ],
  warm: 2,
}

/** @typedef {{ sandbox: import('warmcell').Sandbox, tenant: string, previewKey: string, runId?: string }} Workspace */

export class Workspaces {
  #pool
  #starter
  /** @type {Map<string, Promise<Workspace>>} Also those that are being made: who asks twice gets one. */
  #byTenant = new Map()
  /** @type {Map<string, Workspace>} */
  #running = new Map()

  /** @param {import('warmcell').Pool} pool */
  constructor(pool) {
    this.#pool = pool
    this.#starter = readTree(new URL('project/', import.meta.url))
  }

  /** The tenant's workspace; a new one where there is none. */
  open(tenant) {
    let opening = this.#byTenant.get(tenant)
    if (opening === undefined) {
      opening = this.#make(tenant)
      this.#byTenant.set(tenant, opening)
      opening.catch(() => this.#byTenant.delete(tenant))
    }
    return opening
  }

  /** The one that runs now, if any. */
  find(tenant) {
    return this.#running.get(tenant)
  }

  /** The one whose preview has this name. */
  findByPreview(key) {
    return [...this.#running.values()].find(({ previewKey }) => previewKey === key)
  }

  async #make(tenant) {
    const sandbox = await this.#pool.createSandbox({
      tenant,
      template: 'ide',
      cwd: directory,
      env: { HOME: home, LANG: 'C.UTF-8' },
      files: await this.#starter,
      idleTimeoutMs: idleMs,
      metadata: { example: 'online-ide' },
    })
    // The name of its previews: it cannot be guessed, and says nothing about the tenant.
    const workspace = { sandbox, tenant, previewKey: randomBytes(10).toString('hex') }
    this.#running.set(tenant, workspace)
    sandbox.once('destroyed', () => {
      this.#running.delete(tenant)
      this.#byTenant.delete(tenant)
    })
    return workspace
  }
}

/** A directory of the host as the `files` of a create: content by relative path. */
async function readTree(root) {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => `${parentPath}/${name}`)
  const read = async (path) => [path.slice(root.pathname.length).replace(/^\//, ''), await readFile(path)]
  return Object.fromEntries(await Promise.all(files.map(read)))
}
