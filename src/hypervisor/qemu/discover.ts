/** Finding QEMU on this host, and what it must be told about the host. */

import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, readFile, stat } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { WarmcellError } from '../../errors.ts'

/**
 * The oldest QEMU that opens a clone's RAM file read-only when told so (`readonly=on,rom=off`): an older one opens the template of every
 * tenant for writing. https://www.qemu.org/docs/master/about/removed-features.html
 */
const versionMin = [8, 2] as const

const installHint =
  'Install QEMU 8.2 or newer: on Debian 13 and Ubuntu 24.04 `apt-get install qemu-system-x86`, on Debian 12 the same with `-t bookworm-backports`.'

/** The architectures of Node, in QEMU's words. */
const qemuArchitectures: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' }

export interface QemuBinary {
  readonly hostPath: string
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
  const { stdout } = await promisify(execFile)(hostPath, ['--version'], { timeout: 5_000 }).catch((cause: unknown) => {
    throw new WarmcellError('HOST_UNSUPPORTED', `${hostPath} does not run.`, { hint: installHint, cause })
  })
  const version = /version (\d+\.\d+(?:\.\d+)?)/.exec(stdout)?.[1]
  if (version === undefined)
    throw new WarmcellError('HOST_UNSUPPORTED', `${hostPath} does not say its version as QEMU does.`, { hint: installHint })
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major < versionMin[0] || (major === versionMin[0] && minor < versionMin[1])) {
    throw new WarmcellError('HOST_UNSUPPORTED', `${hostPath} is QEMU ${version}, which is too old to clone safely.`, {
      hint: installHint,
    })
  }
  return { hostPath, version }
}

/** The full path of a program, as a shell would find it; undefined where there is none. */
export async function findProgram(program: string): Promise<string | undefined> {
  const candidates = program.includes('/')
    ? [resolve(program)]
    : (process.env.PATH ?? '').split(delimiter).map((directory) => join(directory, program))
  for (const candidate of candidates) {
    const runs = access(candidate, constants.X_OK).then(() => stat(candidate))
    if (await runs.then((found) => found.isFile()).catch(() => false)) return candidate
  }
  return undefined
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
