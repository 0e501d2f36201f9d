/** What the host itself could be made safer by: pure. */

import type { DoctorCheck } from '../doctor.ts'
import { check } from './check.ts'
import type { HostFacts, settingNames } from './facts.ts'
import { flawsBetweenThreads, openFlaws } from './processor.ts'

export function hostChecks(facts: HostFacts): DoctorCheck[] {
  return [pageMerging, swap, processorFlaws, threads, nesting, kernelSettings, updates, accelerator].map((one) => one(facts))
}

function pageMerging({ pageMerging }: HostFacts): DoctorCheck {
  const weakness =
    pageMerging === 1
      ? 'The kernel merges equal pages of processes: by timing a write, one tenant can learn what another has in memory.'
      : undefined
  return check('page merging', weakness, 'Equal pages of processes are not merged.', 'echo 2 > /sys/kernel/mm/ksm/run')
}

function swap({ swaps }: HostFacts): DoctorCheck {
  const exposed = (swaps ?? []).filter(({ kind }) => kind === 'plain' || kind === 'unknown')
  const weakness =
    exposed.length === 0
      ? undefined
      : `Memory of tenants may be written to ${exposed.map(({ name }) => name).join(', ')}, which ${exposed.every(({ kind }) => kind === 'unknown') ? 'cannot be told to be' : 'is not'} encrypted.`
  const detail = swaps?.length === 0 ? 'There is no swap.' : 'Swap is encrypted, or in memory.'
  return check('swap', weakness, swaps === undefined ? 'This host does not tell of swap.' : detail, 'swapoff -a, or encrypt it.')
}

function processorFlaws({ flaws }: HostFacts): DoctorCheck {
  const fix = 'Update kernel and microcode, restart, and remove mitigations=off from the kernel’s command line.'
  if (flaws === undefined) {
    return check('processor flaws', 'This kernel does not tell of the flaws of its processor.', '', fix)
  }
  const open = openFlaws(flaws)
  const weakness = open.length === 0 ? undefined : `Nothing, or not enough, is done about ${open.join(', ')}.`
  return check('processor flaws', weakness, `${flaws.size} flaws are known to the kernel, and none is open.`, fix)
}

function threads({ flaws, hasThreads }: HostFacts): DoctorCheck {
  const reaching = flawsBetweenThreads(flaws ?? new Map()).join(', ')
  // A virtual machine may have a thread of a core, and be told that it has the core.
  const open = hasThreads
    ? `Two threads share a core, and through ${reaching} one may read what the other is at.`
    : `What shares a core with this host cannot be told from here, and matters for ${reaching}.`
  const detail = hasThreads
    ? 'Two threads share a core; no flaw that the kernel knows of reaches from one to the other.'
    : 'No two threads are known to share a core.'
  const fix = 'echo off > /sys/devices/system/cpu/smt/control; in a virtual machine, rent whole cores.'
  return check('threads of a core', reaching === '' ? undefined : open, detail, fix)
}

function nesting({ nesting }: HostFacts): DoctorCheck {
  const weakness =
    nesting === undefined ? undefined : `${nesting} lets a guest be a host itself, with more of KVM than warmcell needs.`
  const fix = `echo 'options ${nesting} nested=0' > /etc/modprobe.d/warmcell.conf, and load the module anew.`
  return check('nested virtualization', weakness, 'KVM does not let a guest be a host itself, or is not loaded.', fix)
}

/** The least that each should be. */
const settingsWanted: Readonly<Record<(typeof settingNames)[number], (value: number) => boolean>> = {
  'kernel/dmesg_restrict': (value) => value >= 1,
  'kernel/kptr_restrict': (value) => value >= 1,
  'kernel/yama/ptrace_scope': (value) => value >= 1,
  'kernel/unprivileged_bpf_disabled': (value) => value >= 1,
  'kernel/perf_event_paranoid': (value) => value >= 2,
  'vm/unprivileged_userfaultfd': (value) => value === 0,
}

function kernelSettings({ settings }: HostFacts): DoctorCheck {
  const loose = Object.entries(settingsWanted).flatMap(([name, isTight]) => {
    const value = settings.get(name)
    return value === undefined || isTight(value) ? [] : [`${name.replaceAll('/', '.')}=${value}`]
  })
  const weakness =
    loose.length === 0 ? undefined : `Other users of this host are let do more than they need: ${loose.join(', ')}.`
  return check(
    'kernel settings',
    weakness,
    `${settings.size} switches that are known here stand as they should.`,
    'Set them in /etc/sysctl.d, as docs/security/hardening.md has them.',
  )
}

function updates({ isRestartDue }: HostFacts): DoctorCheck {
  const weakness = isRestartDue ? 'A restart is due: what was updated is not what runs.' : undefined
  return check('updates', weakness, 'No restart is known to be due.', 'Restart the host.')
}

/** Whether this user may open it is the accelerator's own check. */
function accelerator({ acceleratorMode }: HostFacts): DoctorCheck {
  const name = 'accelerator device'
  const fix = 'chgrp kvm /dev/kvm && chmod 660 /dev/kvm, as distributions do.'
  if (acceleratorMode === undefined) return check(name, undefined, 'There is no /dev/kvm.', fix)
  const mode = acceleratorMode.toString(8).padStart(4, '0')
  const weakness = (acceleratorMode & 0o066) === 0 ? `/dev/kvm (mode ${mode}) is for its owner alone.` : undefined
  const detail = (acceleratorMode & 0o006) === 0 ? 'is for its group' : 'is for every user of this host'
  return check(name, weakness && `${weakness} A microVM runs as a user of its own.`, `/dev/kvm (mode ${mode}) ${detail}.`, fix)
}
