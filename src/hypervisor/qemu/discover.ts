/** Finding QEMU on this host, and what it must be told about the host. */

import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { WarmcellError } from '../../errors.ts'
import type { LaunchedProgram } from '../launcher.ts'
import { findProgram } from '../program.ts'

/**
 * The oldest QEMU that opens a clone's RAM file read-only when told so (`readonly=on,rom=off`): an older one opens the template of every
 * tenant for writing. https://www.qemu.org/docs/master/about/removed-features.html
 */
const versionMin = [8, 2] as const

const installHint =
  'Install QEMU 8.2 or newer: on Debian 13 and Ubuntu 24.04 `apt-get install qemu-system-x86`, on Debian 12 the same with `-t bookworm-backports`.'

/** To say something of itself takes 20 ms, seconds on a host that swaps. */
const answerDeadlineMs = 5_000

/** The architectures of Node, in QEMU's words. */
const qemuArchitectures: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' }

export interface QemuBinary extends LaunchedProgram {
  readonly version: string
}

/**
 * The QEMU named by `WARMCELL_QEMU`, or the first on the PATH.
 *
 * @throws `HOST_UNSUPPORTED` when there is none, it does not run, or it is older than 8.2.
 */
export async function findQemu(): Promise<QemuBinary> {
  const program = process.env.WARMCELL_QEMU ?? `qemu-system-${qemuArchitectures[process.arch] ?? process.arch}`
  const hostPath = await findProgram(program)
  if (hostPath === undefined)
    throw new WarmcellError('HOST_UNSUPPORTED', `There is no ${program} on this host.`, { hint: installHint })
  const [said, hostDataPaths] = await Promise.all([ask(hostPath, '--version'), findFirmware(hostPath)])
  const version = /version (\d+\.\d+(?:\.\d+)?)/.exec(said)?.[1]
  if (version === undefined)
    throw new WarmcellError('HOST_UNSUPPORTED', `${hostPath} does not say its version as QEMU does.`, { hint: installHint })
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major < versionMin[0] || (major === versionMin[0] && minor < versionMin[1])) {
    throw new WarmcellError('HOST_UNSUPPORTED', `${hostPath} is QEMU ${version}, which is too old to clone safely.`, {
      hint: installHint,
    })
  }
  return { hostPath, version, hostDataPaths }
}

/** What QEMU says of itself. @throws `HOST_UNSUPPORTED` when it does not run. */
async function ask(hostPath: string, ...words: string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(hostPath, words, { timeout: answerDeadlineMs })
    return stdout
  } catch (cause) {
    throw new WarmcellError('HOST_UNSUPPORTED', `${hostPath} does not run.`, { hint: installHint, cause })
  }
}

/** The firmware that machines like ours start from: it comes with QEMU, under these names. */
const firmware = ['qboot.rom', 'bios-microvm.bin', 'linuxboot_dma.bin', 'linuxboot.bin', 'pvh.bin', 'kvmvapic.bin']

/** Each as QEMU itself would find it: in the first of its directories that has it. None, where it does not tell its directories. */
async function findFirmware(hostPath: string): Promise<string[]> {
  const said = await ask(hostPath, '-L', 'help').catch(() => '')
  const directories = said.split('\n').filter((line) => line.startsWith('/'))
  const found = firmware.map(async (name) => {
    for (const directory of directories) {
      const candidate = join(directory, name)
      if (
        await access(candidate, constants.R_OK).then(
          () => true,
          () => false,
        )
      )
        return [candidate]
    }
    return []
  })
  return (await Promise.all(found)).flat()
}

/**
 * How fast the host's time-stamp counter ticks, in kHz. Sources, best first: the frequency that the processor's driver calls its base or
 * nominal one, the one in the model's name, and what /proc/cpuinfo says now (exact in a virtual machine, where it does not vary).
 */
export async function hostTscKhz(): Promise<number | undefined> {
  const cpu = '/sys/devices/system/cpu/cpu0'
  const baseKhz = Number(await readOr(`${cpu}/cpufreq/base_frequency`))
  if (baseKhz > 0) return baseKhz
  const nominalMhz = Number(await readOr(`${cpu}/acpi_cppc/nominal_freq`))
  if (nominalMhz > 0) return nominalMhz * 1_000
  const cpuinfo = await readOr('/proc/cpuinfo')
  const named = /^model name.*@ ([\d.]+)GHz/m.exec(cpuinfo)?.[1]
  if (named !== undefined) return Math.round(Number(named) * 1_000_000)
  const now = /^cpu MHz\s*: ([\d.]+)/m.exec(cpuinfo)?.[1]
  return now === undefined ? undefined : Math.round(Number(now) * 1_000)
}

async function readOr(hostPath: string): Promise<string> {
  return readFile(hostPath, 'utf8').catch(() => '')
}
