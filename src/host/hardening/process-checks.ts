/** What the process that serves tenants, and the places it keeps things in, could be made safer by: pure. */

import type { DoctorCheck } from '../doctor.ts'
import { check } from './check.ts'
import type { HostFacts } from './facts.ts'

/** Sandboxes that a pool may have by default for each core, and the descriptors that one takes in its host process: docs/limits.md. */
const sandboxesPerCore = 64
const openFilesPerSandbox = 10

/** For the rest of an application. */
const openFilesBesides = 256

/** Room for a handful of templates of the default size, and no container's 64 MiB. */
const comfortableTemplatesMib = 1_024

/** Room for a build that does not fit into memory, and for the copy of QEMU that microVMs are started from. */
const comfortableStateMib = 1_024

export function processChecks(facts: HostFacts): DoctorCheck[] {
  return [coreDumps, openFiles, stateDirectory, templateDirectory, node].map((one) => one(facts))
}

function coreDumps({ coreBytesMax }: HostFacts): DoctorCheck {
  const weakness =
    coreBytesMax === undefined || coreBytesMax === 0
      ? undefined
      : 'When this process crashes its memory, with what tenants printed and sent, is written to a file.'
  return check('core dumps', weakness, 'This process writes no core dump.', 'ulimit -c 0; for a service, LimitCORE=0.')
}

function openFiles({ cores, openFilesMax }: HostFacts): DoctorCheck {
  const wanted = cores * sandboxesPerCore * openFilesPerSandbox + openFilesBesides
  const detail = `${openFilesMax === Number.POSITIVE_INFINITY ? 'Any number of' : openFilesMax} files may be open`
  if (openFilesMax === undefined) return check('open files', undefined, 'This host does not tell how many may be open.', '')
  const weakness =
    openFilesMax < wanted
      ? `${detail}, and the sandboxes that a pool may have by default take ${wanted}: with too few, tenants keep others from being served.`
      : undefined
  return check('open files', weakness, `${detail}.`, `ulimit -n ${wanted}; for a service, LimitNOFILE=${wanted}.`)
}

function stateDirectory({ stateDirectory }: HostFacts): DoctorCheck {
  const name = 'state directory'
  if (stateDirectory === undefined) return check(name, undefined, 'It is not there yet.', '')
  const { hostPath, mode, freeMib } = stateDirectory
  if ((mode & 0o022) !== 0) {
    const octal = mode.toString(8).padStart(4, '0')
    return check(name, `Others may write to ${hostPath} (mode ${octal}).`, '', `chmod 700 ${hostPath}`)
  }
  const weakness =
    freeMib < comfortableStateMib ? `${hostPath} has ${freeMib} MiB left: a template that finds no room is not built.` : undefined
  const fix = `Free some, or name a directory with \`stateDir\`: ${comfortableStateMib} MiB are comfortable.`
  return check(name, weakness, `${hostPath} is not for others to write to, and has ${freeMib} MiB left.`, fix)
}

function templateDirectory({ templateDirectory }: HostFacts): DoctorCheck {
  const name = 'room for templates'
  const fix = 'Enlarge it (in a container, --shm-size), or name a tmpfs of your own with WARMCELL_TEMPLATE_DIR.'
  if (templateDirectory === undefined) return check(name, 'There is no file system in memory for templates.', '', fix)
  const { hostPath, isTmpfs, sizeMib } = templateDirectory
  const weakness = !isTmpfs
    ? `${hostPath} is not in memory.`
    : sizeMib < comfortableTemplatesMib
      ? `${hostPath} has ${sizeMib} MiB in all: what does not fit goes to the disk, and clones that find no page left end.`
      : undefined
  return check(name, weakness, `${hostPath} is in memory, with ${sizeMib} MiB in all.`, fix)
}

/** What lets somebody else into this process, or writes its memory to a file. */
const harmfulArguments = /^--(?:inspect|heapsnapshot-)/

function node({ nodeArguments }: HostFacts): DoctorCheck {
  const harmful = nodeArguments.filter((argument) => harmfulArguments.test(argument))
  const weakness =
    harmful.length === 0
      ? undefined
      : `Node was started with ${harmful.join(' ')}: whoever reaches its debugger, or its memory in a file, has every tenant.`
  return check('Node options', weakness, 'Node was started without a debugger.', 'Leave it out where tenants are served.')
}
