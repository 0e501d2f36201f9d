/** A place to build templates in without a microVM: a fake hypervisor, a guest image that is only named, and a state directory of the test's own. */

import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { GuestImage } from '../../src/image/index.ts'
import type { BuildEvent, Snapshot, TemplateSpec } from '../../src/template/index.ts'
import { resolveTemplate, Templates, type TemplatesParts } from '../../src/template/index.ts'
import { FakeHypervisor } from '../../src/testing/fake-hypervisor.ts'
import type { FakeGuest, FakeProgram, FakeStep } from '../../src/testing/index.ts'
import { builtinPrograms } from '../../src/testing/programs.ts'
import { Scratch } from '../support/scratch.ts'

export const image: GuestImage = {
  key: 'image-1',
  hostDirectory: '/i',
  hostKernelPath: '/i/vmlinuz',
  hostInitramfsPath: '/i/initramfs',
  hostBaseRootPath: '/i/base.erofs',
  kernel: 'stock',
  acpi: true,
  kernelRelease: '6.12',
  kernelArguments: ['quiet'],
}

/** What `ready: { file }` runs; the fake shell does not know `[`. */
const sh: FakeProgram = (process) => {
  const [, , script, , path = ''] = process.argv
  if (script === '[ -e "$1" ]') return process.files.has(path) ? 0 : 1
  return (builtinPrograms.sh as FakeProgram)(process)
}

export class Workshop implements Disposable {
  readonly scratch: Scratch = new Scratch()
  readonly hypervisor: FakeHypervisor
  readonly events: BuildEvent[] = []
  readonly #environment = process.env.WARMCELL_TEMPLATE_DIR

  constructor(
    programs: Record<string, FakeProgram> = {},
    onGuestStart?: (guest: FakeGuest) => void,
    onGuestStep?: (guest: FakeGuest, step: FakeStep) => void,
  ) {
    this.hypervisor = new FakeHypervisor(
      new Map(Object.entries({ ...builtinPrograms, sh, ...programs })),
      onGuestStart,
      onGuestStep,
    )
    process.env.WARMCELL_TEMPLATE_DIR = this.scratch.join('memory')
  }

  /** Another user of the same state directory, as another process would be. */
  templates(changed: Partial<TemplatesParts> = {}): Templates {
    const { hypervisor } = this
    return new Templates({ hypervisor, image, isolation: 'emulated', stateDirectory: this.scratch.join('state'), ...changed })
  }

  snapshot(
    spec: TemplateSpec = {},
    options: { signal?: AbortSignal } = {},
    templates: Templates = this.templates(),
  ): Promise<Snapshot> {
    return templates.snapshot(resolveTemplate('mine', spec), { onEvent: (event) => this.events.push(event), ...options })
  }

  get steps(): string[] {
    return this.events.flatMap((event) => (event.type === 'step' ? [event.step] : []))
  }

  get printed(): string {
    return this.events.map((event) => (event.type === 'output' ? event.text : '')).join('')
  }

  /** Where the template of a snapshot lies. */
  static directoryOf({ hostMemoryPath }: Snapshot): string {
    return join(hostMemoryPath, '..')
  }

  /** Every file and every directory that is not part of the order of things; the stages of setups are. */
  left(): string[] {
    const orderly = /^(memory|state)(\/(warmcell-[^/]*|templates(\/(locks|used)?)?))?$/
    const stages = this.stages()
    return readdirSync(this.scratch.hostPath, { recursive: true, encoding: 'utf8' }).filter(
      (path) =>
        !orderly.test(path) &&
        !path.includes('/used/') &&
        !path.endsWith('/state-directory') &&
        !stages.some(({ directory }) => this.scratch.join(path).startsWith(directory)),
    )
  }

  /** Those that are stored, by how far their setups have come. */
  stages(): { commands: number; directory: string }[] {
    const place = this.scratch.join('state/templates')
    if (!existsSync(place)) return []
    return readdirSync(place)
      .map((name) => join(place, name))
      .filter((directory) => /\/[0-9a-f]{64}$/.test(directory) && existsSync(join(directory, 'manifest.json')))
      .map((directory) => ({ directory, commands: JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')).stage }))
      .filter(({ commands }) => commands !== undefined)
      .sort((a, b) => a.commands - b.commands)
  }

  [Symbol.dispose](): void {
    if (this.#environment === undefined) delete process.env.WARMCELL_TEMPLATE_DIR
    else process.env.WARMCELL_TEMPLATE_DIR = this.#environment
    this.scratch[Symbol.dispose]()
  }
}

export function modeOf(hostPath: string): number {
  return lstatSync(hostPath).mode & 0o7777
}
