/** A pool of real microVMs in which something happens at a phase: everything is as `createPool` makes it, but for who listens at the hypervisor. */

import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { confine, infoOf, Journal, journalled, prepareStateDirectory } from '../../../src/host/index.ts'
import { findQemu, QemuHypervisor } from '../../../src/hypervisor/qemu/index.ts'
import { findGuestImage } from '../../../src/image/index.ts'
import { bootMachine, parkMachine } from '../../../src/machine/index.ts'
import { MachinePool, type PoolOptions } from '../../../src/pool/index.ts'
import { planBoot, resolveTemplates, Templates } from '../../../src/template/index.ts'
import { Scratch } from '../../support/scratch.ts'
import { type OnPhase, type Phase, PhasedHypervisor } from './phases.ts'

/** The isolation of every test here. */
const isolation = 'emulated'

/** What the tests here make their microVMs from. */
export const small = { resources: { memoryMib: 128 } } as const

/** A place for the state of the pools of a test file, in which the template `base` is built once for all of them. */
export function placeOfThisFile(): () => string {
  let scratch: Scratch
  beforeAll(async () => {
    scratch = new Scratch()
    await using pool = await phasedPool(scratch.join('state'), { base: small }, () => {})
    await pool.ready({ template: 'base' })
  })
  afterAll(() => scratch[Symbol.dispose]())
  return () => scratch.join('state')
}

export async function phasedPool(
  stateDirectory: string,
  templates: NonNullable<PoolOptions['templates']>,
  at: OnPhase,
): Promise<MachinePool> {
  await prepareStateDirectory(stateDirectory)
  const binary = await findQemu()
  const confinement = await confine(binary, join(stateDirectory, 'programs'))
  const journal = new Journal(stateDirectory)
  await journal.prepare()
  const hypervisor = new PhasedHypervisor(await QemuHypervisor.of(binary, journalled(confinement.launcher, journal)), at)
  const image = await findGuestImage()
  const stored = new Templates({ hypervisor, image, isolation, stateDirectory })
  return new MachinePool({
    templates: resolveTemplates(templates),
    source: {
      rooted: async (template) => template,
      snapshot: (template, building) => stored.snapshot(template, building),
      verify: (snapshot) => stored.verify(snapshot),
      park: (snapshot, id, signal) => parkMachine(hypervisor, snapshot, id, { signal }),
      boot: async (template, id, signal) => bootMachine(hypervisor, await planBoot(template, image, isolation, id), { signal }),
    },
    budget: { memoryMib: 8_192, sandboxes: 16 },
    isolation,
    confinement: infoOf(confinement),
    defaults: {},
    onExhausted: 'boot',
    tenants: {},
    makingsAtOnceMax: 3,
  })
}

/** Lets something happen once: to the first microVM that comes to the phase after it was told to. */
export class Striker {
  #wanted: { phase: Phase; strike: (id: string) => void | Promise<void> } | undefined
  /** The last one that it happened to. */
  struck: string | undefined

  /** For a pool to call. */
  readonly at: OnPhase = (phase, id) => {
    const wanted = this.#wanted
    if (wanted?.phase !== phase) return undefined
    this.#wanted = undefined
    this.struck = id
    return wanted.strike(id)
  }

  next(phase: Phase, strike: (id: string) => void | Promise<void>): void {
    this.struck = undefined
    this.#wanted = { phase, strike }
  }
}
