/** What this host offers to run microVMs with: the one file that names a hypervisor. */

import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { WarmcellError } from '../errors.ts'
import {
  type Confinement,
  cgroupsLeft,
  confine,
  defaultStateDirectory,
  type HardwareVerdict,
  Journal,
  journalled,
  journalledOwners,
  type MicrovmInfo,
  microvmsLeft,
  microvmsOf,
  prepareStateDirectory,
  probeDeadlineMs,
  probeHardware,
  remedy,
  type Sweeper,
  sweepInPassing,
  temporaryFilesLeft,
} from '../host/index.ts'
import type { Hypervisor } from '../hypervisor/index.ts'
import { findQemu, QemuHypervisor, recogniseVm } from '../hypervisor/qemu/index.ts'
import { cacheDirectory, findGuestImage, type GuestImage, imageSweeper } from '../image/index.ts'
import { bootMachine } from '../machine/index.ts'
import { orphanPlaceSweeper, planBoot, resolveTemplate, templateNameAt, templateSweeper } from '../template/index.ts'

/** What this host has for microVMs. */
export interface Host extends HostHypervisor {
  readonly image: GuestImage
}

export interface HostHypervisor {
  readonly hypervisor: Hypervisor
  readonly confinement: Confinement
}

/** Everything looked at; and what dead processes have left in the state directory is gone. */
export async function openHost(stateDirectory: string): Promise<Host> {
  const [found, image] = await Promise.all([findHypervisor(stateDirectory), findGuestImage()])
  await sweepInPassing(sweepersOf(stateDirectory))
  return { ...found, image }
}

/** QEMU, held by everything that this host can hold it by, and written down before it is started. */
export async function findHypervisor(stateDirectory: string): Promise<HostHypervisor> {
  await prepareStateDirectory(stateDirectory)
  const journal = new Journal(stateDirectory)
  const [binary] = await Promise.all([findQemu(), journal.prepare()])
  const confinement = await confine(binary, join(stateDirectory, 'programs'))
  return { hypervisor: await QemuHypervisor.of(binary, journalled(confinement.launcher, journal)), confinement }
}

/** For messages. @throws `HOST_UNSUPPORTED` when there is none that will do. */
export async function hypervisorName(): Promise<string> {
  return `QEMU ${(await findQemu()).version}`
}

/** What a dead process may have left of a state directory, by who it was. In this order: a microVM goes before the files that it writes to. */
function sweepersOf(stateDirectory: string): Sweeper[] {
  return [
    () => microvmsLeft(stateDirectory, recogniseVm),
    cgroupsLeft,
    templateSweeper(stateDirectory),
    () => temporaryFilesLeft(stateDirectory),
    imageSweeper(cacheDirectory()),
  ]
}

/** And what is only removed when somebody asks for it. */
export function allSweepersOf(stateDirectory: string): Sweeper[] {
  return [...sweepersOf(stateDirectory), orphanPlaceSweeper(stateDirectory)]
}

/** @throws `HOST_UNSUPPORTED` with what would mend it. */
export async function assertHardware(hypervisor: Hypervisor, image: GuestImage, stateDirectory: string): Promise<void> {
  const verdict = await hardwareVerdict(hypervisor, image, stateDirectory)
  if (verdict.works) return
  throw new WarmcellError('HOST_UNSUPPORTED', `This host has no working hardware isolation. ${verdict.detail}`, {
    hint: remedy(verdict),
  })
}

/** Whether guests run under this host's accelerator: by booting one, unless it is remembered. */
export function hardwareVerdict(
  hypervisor: Hypervisor,
  image: GuestImage,
  stateDirectory: string,
  fresh = false,
): Promise<HardwareVerdict> {
  return probeHardware({
    key: `${hypervisor.name} ${image.key}`,
    stateDirectory,
    fresh,
    boot: async () => {
      const spec = await planBoot(resolveTemplate('base', {}), image, 'hardware', `wc-probe-${randomBytes(4).toString('hex')}`)
      const machine = await bootMachine(hypervisor, spec, { deadlineMs: probeDeadlineMs })
      await machine.destroy()
    },
  })
}

/** The microVMs of this user, as the hypervisor's processes are told by their command lines. */
export function microvms(): Promise<MicrovmInfo[]> {
  return microvmsOf({
    recognise: recogniseVm,
    nameOf: templateNameAt,
    journalledOwners: () => journalledOwners(defaultStateDirectory()),
  })
}
