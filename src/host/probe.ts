/** Whether guests run under this host's hardware accelerator: proved by booting one, and remembered. */

import { constants } from 'node:fs'
import { access, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { WarmcellError } from '../errors.ts'
import { hostBootId } from './boot-id.ts'
import { temporaryFileName } from './temporary-file.ts'

export interface HardwareVerdict {
  readonly works: boolean
  /** What was found, as a sentence. */
  readonly detail: string
  /** What would mend it, where something would. */
  readonly fix?: string
}

const otherwise =
  "Or ask for isolation: 'emulated' (WARMCELL_ISOLATION=emulated): it runs anywhere, about 30 times slower, and is no security boundary, for development only."

/** What to do on a host whose accelerator does not work: mend it, or do without and know the price. */
export function remedy({ fix }: HardwareVerdict): string {
  return fix === undefined ? otherwise : `${fix} ${otherwise}`
}

export interface ProbeOptions {
  /** Boots a guest under the accelerator to its agent's first answer and ends it; rejects when it does not get there in time. */
  readonly boot: () => Promise<void>
  /** What the verdict depends on beside this boot of the host: the hypervisor's version and the guest's kernel. */
  readonly key: string
  readonly stateDirectory: string
  /** Boot again even where a verdict is remembered. */
  readonly fresh?: boolean
  /** The accelerator's device on Linux. Default /dev/kvm. */
  readonly hostDevicePath?: string
}

/** How long a guest may take to its agent's answer before the accelerator counts as broken, in milliseconds: a healthy one needs about 300. */
export const probeDeadlineMs = 3_000

/**
 * A device that opens proves nothing: software KVM and broken nested virtualization open it, and even create a VM, in which no stock
 * kernel ever boots. So a guest is booted, once per boot of the host, hypervisor and kernel.
 */
export async function probeHardware(options: ProbeOptions): Promise<HardwareVerdict> {
  const device = await inspectDevice(options.hostDevicePath ?? '/dev/kvm')
  if (device !== undefined) return device
  const memory = join(options.stateDirectory, 'probe.json')
  const key = `${await hostBootId()} ${options.key}`
  if (options.fresh !== true) {
    const remembered = await recall(memory, key)
    if (remembered !== undefined) return remembered
  }
  try {
    await options.boot()
  } catch (error) {
    // The host is at fault only where a guest was started and did not get through, or could not be: everything else is the caller's to see.
    if (!WarmcellError.is(error)) throw error
    if (error.code === 'HOST_UNSUPPORTED') return refused(error)
    if (error.code !== 'BOOT_FAILED') throw error
    return remember(memory, key, {
      works: false,
      detail: `A guest was started under the accelerator and did not boot: ${error.message.split('\n')[0]}`,
      fix: 'Use a host with working (nested) virtualization: bare metal, or a cloud instance type that offers it.',
    })
  }
  return remember(memory, key, { works: true, detail: 'A guest booted under the accelerator.' })
}

/** A matter of rights: not remembered, as it may be mended without a restart. */
function refused({ message, hint }: WarmcellError): HardwareVerdict {
  if (hint === undefined) return { works: false, detail: message }
  return { works: false, detail: message.replace(` ${hint}`, ''), fix: hint }
}

/** What can be told without booting; undefined when a boot must decide. */
async function inspectDevice(hostPath: string): Promise<HardwareVerdict | undefined> {
  if (process.platform !== 'linux') return undefined
  try {
    await access(hostPath, constants.R_OK | constants.W_OK)
    return undefined
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      return {
        works: false,
        detail: `There is no ${hostPath}.`,
        fix: 'Enable virtualization in the firmware, or nested virtualization for this virtual machine, and load the module kvm_intel or kvm_amd.',
      }
    }
    return {
      works: false,
      detail: `This user may not open ${hostPath}.`,
      fix: 'Run `sudo usermod -aG kvm $USER` and log in again.',
    }
  }
}

async function recall(hostPath: string, key: string): Promise<HardwareVerdict | undefined> {
  try {
    const kept = JSON.parse(await readFile(hostPath, 'utf8')) as { key: string; verdict: HardwareVerdict }
    return kept.key === key ? kept.verdict : undefined
  } catch {
    // No memory, or one that cannot be read: a boot decides.
    return undefined
  }
}

/** A verdict that cannot be written is found again next time. */
async function remember(hostPath: string, key: string, verdict: HardwareVerdict): Promise<HardwareVerdict> {
  try {
    const draft = join(dirname(hostPath), await temporaryFileName('verdict'))
    await writeFile(draft, JSON.stringify({ key, verdict }), { mode: 0o600 })
    await rename(draft, hostPath)
  } catch {
    // As said.
  }
  return verdict
}
