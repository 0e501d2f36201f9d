/** Where a fake pool's machines come from: templates that are really saved, and clones that are really loaded, over fake guests. */

import { createHash } from 'node:crypto'
import { existsSync, rmSync, truncateSync } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WarmcellError } from '../errors.ts'
import type { VmSpec } from '../hypervisor/index.ts'
import { bootMachine, type Machine, type ParkedMachine, parkMachine } from '../machine/index.ts'
import type { MachineSource } from '../pool/index.ts'
import { type BuildOptions, isImage, type Snapshot, type Template, withImage } from '../template/index.ts'
import type { FakeHypervisor } from './fake-hypervisor.ts'

/** The directories of pools that have not been closed: an ordinary exit leaves none. */
const directories = new Set<string>()
process.once('exit', () => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

export class FakeSource implements MachineSource {
  readonly #builder: FakeHypervisor
  readonly #hypervisor: FakeHypervisor
  readonly #bootDeadlineMs: number | undefined
  readonly #snapshots = new Map<string, Promise<Snapshot>>()
  #directory: Promise<string> | undefined
  /** The paths of what was saved, without their endings. What is still being built is not among them. */
  readonly #saved: string[] = []
  #built = 0

  /** Templates are built by a hypervisor of their own: its guests are nobody's. */
  constructor(builder: FakeHypervisor, hypervisor: FakeHypervisor, bootDeadlineMs: number | undefined) {
    this.#builder = builder
    this.#hypervisor = hypervisor
    this.#bootDeadlineMs = bootDeadlineMs
  }

  /** Nothing is pulled: an image that says nothing. */
  async rooted(template: Template): Promise<Template> {
    if (!isImage(template.root)) return template
    const config = { env: [], user: '', workingDirectory: '', entrypoint: [], command: [] }
    return withImage(template, { hostPath: '/dev/null', key: template.root.oci, config })
  }

  /** Once per template and tenant; a build that fails is tried again at the next call. */
  snapshot(template: Template, options: BuildOptions): Promise<Snapshot> {
    const { name, warm: _, ...content } = template
    const digest = createHash('sha256')
      .update(JSON.stringify([content, options.tenant]))
      .digest('hex')
    const known = this.#snapshots.get(digest)
    if (known !== undefined) return known
    const building = this.#build(template, digest, options).catch((error: unknown) => {
      this.#snapshots.delete(digest)
      throw error
    })
    this.#snapshots.set(digest, building)
    return building
  }

  async verify(snapshot: Snapshot): Promise<void> {
    try {
      if ((await bytesOf(snapshot)) === snapshot.sizeBytes) return
    } catch {
      // Not there: not what it was.
    }
    this.#snapshots.delete(snapshot.digest)
    throw new WarmcellError('TEMPLATE_CORRUPT', `The snapshot ${snapshot.digest.slice(0, 12)} is not what it was.`)
  }

  park(snapshot: Snapshot, id: string, signal: AbortSignal): Promise<ParkedMachine> {
    return parkMachine(this.#hypervisor, snapshot, id, { signal })
  }

  boot(template: Template, id: string, signal: AbortSignal): Promise<Machine> {
    return bootMachine(this.#hypervisor, specOf(template, id), { signal, ...this.#deadline() })
  }

  damage(how: 'truncated' | 'removed'): void {
    for (const hostPath of this.#saved) {
      if (how === 'truncated' && existsSync(`${hostPath}.state`)) truncateSync(`${hostPath}.state`)
      if (how === 'removed') for (const ending of ['memory', 'state']) rmSync(`${hostPath}.${ending}`, { force: true })
    }
  }

  /** Removes what templates left on the disk of the host. */
  async close(): Promise<void> {
    const directory = await this.#directory
    if (directory === undefined) return
    await rm(directory, { recursive: true, force: true })
    directories.delete(directory)
  }

  async #build(template: Template, digest: string, { signal, onEvent }: BuildOptions): Promise<Snapshot> {
    signal?.throwIfAborted()
    this.#directory ??= makeDirectory()
    const number = ++this.#built
    const hostPath = join(await this.#directory, String(number))
    const files = { hostMemoryPath: `${hostPath}.memory`, hostStatePath: `${hostPath}.state` }
    const spec = { ...specOf(template, `wc-template-${number}`), savesTo: files }
    const calling = signal && { signal }
    onEvent?.({ type: 'step', step: 'boot', detail: `booting '${template.name}'` })
    const machine = await bootMachine(this.#builder, spec, { ...calling, ...this.#deadline(), template: true })
    onEvent?.({ type: 'step', step: 'snapshot', detail: `saving '${template.name}'` })
    await machine.save(calling)
    const snapshot = { ...spec, ...files, digest, sizeBytes: 0, createdAt: new Date() }
    const sizeBytes = await bytesOf(snapshot)
    this.#saved.push(hostPath)
    return { ...snapshot, sizeBytes }
  }

  #deadline(): { deadlineMs?: number } {
    return this.#bootDeadlineMs === undefined ? {} : { deadlineMs: this.#bootDeadlineMs }
  }
}

async function makeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'warmcell-fake-'))
  directories.add(directory)
  return directory
}

async function bytesOf({ hostMemoryPath, hostStatePath }: Snapshot): Promise<number> {
  const files = await Promise.all([hostMemoryPath, hostStatePath].map((path) => stat(path)))
  return files.reduce((sum, { size }) => sum + size, 0)
}

function specOf({ resources }: Template, id: string): VmSpec {
  return {
    id,
    isolation: 'emulated',
    acpi: true,
    vcpus: resources.vcpus,
    memoryMib: resources.memoryMib,
    hostKernelPath: '/dev/null',
    hostInitramfsPath: '/dev/null',
    hostRootPath: '/dev/null',
    kernelArguments: [`warmcell.disk_mib=${resources.diskMib}`, `warmcell.pids=${resources.pids}`],
  }
}
