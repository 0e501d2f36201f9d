/** From what holds a program to what does not, each with its reason and what to do: pure. */

import type { Holds } from './confined-launcher.ts'
import type { ConfinementGap, ConfinementPart } from './contract.ts'

/** Why something that was tried is not there. */
export interface Reasons {
  box?: string
  setpriv?: string
  shell?: string
  prlimit?: string
  cgroups?: string
}

const installTools = 'On Linux, install bubblewrap and util-linux.'

const tool = (name: string, reason: string | undefined): string =>
  reason === undefined ? `There is no ${name}.` : `${name} does not work here: ${reason}.`

export function gapsOf({ isRoot, box, prlimit, setpriv, shell, filter, cgroups }: Holds, reasons: Reasons): ConfinementGap[] {
  const gaps: ConfinementGap[] = []
  const gap = (part: ConfinementPart, detail: string, fix?: string): void => {
    gaps.push({ part, detail, ...(fix !== undefined && { fix }) })
  }
  if (box === undefined) {
    const why = reasons.box ?? 'this system has no namespaces'
    const fix = `Install bubblewrap, and allow this process to make namespaces (${isRoot ? 'CAP_SYS_ADMIN' : 'user namespaces'}). ${boxHint}`
    if (isRoot) gap('user', `A microVM runs as root: ${why}.`, fix)
    gap('file-system', `A microVM sees the files of this host: ${why}.`, fix)
    gap('namespaces', `A microVM sees the processes and the network of this host: ${why}.`, fix)
    gap('system-calls', `Only QEMU itself filters its system calls: ${why}.`, fix)
    if (setpriv === undefined) {
      const detail = tool('setpriv', reasons.setpriv)
      gap('capabilities', detail, installTools)
      gap('privileges', detail, installTools)
      gap('parent', `${detail} A microVM ends by itself when its host is killed, but one that hangs does not.`, installTools)
    }
  } else if (filter === undefined) {
    gap('system-calls', `The system calls of ${process.arch} are not known: only QEMU itself filters them.`)
  }
  if (shell === undefined && (box !== undefined || setpriv !== undefined)) {
    gap('parent', `${tool('sh', reasons.shell)} A microVM that is just being started when its host is killed may be left.`)
  }
  if (prlimit === undefined) gap('limits', tool('prlimit', reasons.prlimit), installTools)
  if (cgroups === undefined) {
    gap(
      'control-group',
      `No control groups can be made: ${reasons.cgroups ?? 'this system has none'}.`,
      'Run the host process as root, or in a group that is delegated to it: docs/security/hardening.md.',
    )
  }
  return gaps
}

const boxHint = 'docs/security/hardening.md says how.'
