/** What an operator could still do for a host is found in what the kernel says of it, and only that. */

import { chmodSync, mkdirSync, symlinkSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import type { DoctorCheck } from '../../src/host/doctor.ts'
import { type HostFacts, readHostFacts } from '../../src/host/hardening/facts.ts'
import { hostChecks } from '../../src/host/hardening/host-checks.ts'
import { processChecks } from '../../src/host/hardening/process-checks.ts'
import { openFlaws } from '../../src/host/hardening/processor.ts'
import { hardeningChecks } from '../../src/host/index.ts'
import { Scratch } from '../support/scratch.ts'

let scratch: Scratch
beforeEach(() => {
  scratch = new Scratch()
})
afterEach(() => scratch[Symbol.dispose]())

const flaws = 'sys/devices/system/cpu/vulnerabilities'

/** A host with nothing left to do, by its files. */
const good: Readonly<Record<string, string>> = {
  'sys/kernel/mm/ksm/run': '0\n',
  'proc/swaps':
    'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/dm-1 partition 8388604 0 -2\n/dev/zram0 partition 100 0 100\n',
  'sys/block/dm-1/dm/uuid': 'LVM-abc',
  'sys/block/dm-1/slaves/dm-0/size': '1',
  'sys/block/dm-0/dm/uuid': 'CRYPT-LUKS2-abc-root',
  'sys/block/zram0/backing_dev': 'none\n',
  'sys/devices/system/cpu/smt/active': '1\n',
  [`${flaws}/l1tf`]: 'Not affected\n',
  [`${flaws}/spectre_v2`]:
    'Mitigation: Enhanced / Automatic IBRS; IBPB: conditional; PBRSB-eIBRS: Not affected; BHI: BHI_DIS_S\n',
  'sys/module/kvm_intel/parameters/nested': 'N\n',
  'proc/sys/kernel/dmesg_restrict': '1\n',
  'proc/sys/kernel/kptr_restrict': '2\n',
  'proc/sys/kernel/yama/ptrace_scope': '1\n',
  'proc/sys/kernel/unprivileged_bpf_disabled': '2\n',
  'proc/sys/kernel/perf_event_paranoid': '3\n',
  'proc/sys/vm/unprivileged_userfaultfd': '0\n',
  'proc/self/limits':
    'Limit                     Soft Limit           Hard Limit           Units     \nMax core file size        0                    unlimited            bytes     \nMax open files            1048576              1048576              files     \n',
}

/** And what makes each a weakness, by the check that finds it. */
const bad: Readonly<Record<string, [files: Record<string, string>, found: RegExp]>> = {
  'page merging': [{ 'sys/kernel/mm/ksm/run': '1\n' }, /merges equal pages/],
  'swap on a bare partition': [
    { 'proc/swaps': 'Filename\n/dev/sda2 partition 8388604 0 -2\n' },
    /\/dev\/sda2, which is not encrypted/,
  ],
  'swap on an encrypted volume and a bare one': [
    { 'proc/swaps': 'Filename\n/dev/dm-1 partition 1 0 -2\n/dev/sda2 partition 1 0 -3\n' },
    /to \/dev\/sda2, which is not/,
  ],
  'swap on a volume that lies on a bare one too': [{ 'sys/block/dm-1/slaves/sda2/size': '1' }, /\/dev\/dm-1, which is not/],
  'swap in a file': [
    { 'proc/swaps': 'Filename\n/swapfile file 8388604 0 -2\n' },
    /\/swapfile, which cannot be told to be encrypted/,
  ],
  'swap in memory that is written back': [{ 'sys/block/zram0/backing_dev': '/dev/sdb\n' }, /\/dev\/zram0/],
  'processor flaws': [{ [`${flaws}/retbleed`]: 'Vulnerable\n' }, /about retbleed\.$/],
  'processor flaws in a part': [
    { [`${flaws}/spectre_v2`]: 'Mitigation: Retpolines; IBPB: conditional; BHI: Vulnerable, KVM: SW loop\n' },
    /about spectre_v2\.$/,
  ],
  'threads of a core': [{ [`${flaws}/mds`]: 'Mitigation: Clear CPU buffers; SMT vulnerable\n' }, /share a core, and through mds/],
  'threads of a core that nobody tells of': [
    {
      'sys/devices/system/cpu/smt/active': '0\n',
      [`${flaws}/mds`]: 'Mitigation: Clear CPU buffers; SMT Host state unknown\n',
    },
    /cannot be told from here, and matters for mds/,
  ],
  'nested virtualization': [{ 'sys/module/kvm_intel/parameters/nested': 'Y\n' }, /kvm_intel lets a guest/],
  'nested virtualization, on AMD': [{ 'sys/module/kvm_amd/parameters/nested': '1\n' }, /kvm_amd lets a guest/],
  'kernel settings': [
    { 'proc/sys/kernel/dmesg_restrict': '0\n', 'proc/sys/kernel/perf_event_paranoid': '-1\n' },
    /kernel\.dmesg_restrict=0, kernel\.perf_event_paranoid=-1\.$/,
  ],
  'kernel settings, of memory': [{ 'proc/sys/vm/unprivileged_userfaultfd': '1\n' }, /vm\.unprivileged_userfaultfd=1/],
  updates: [{ 'run/reboot-required': '*** System restart required ***\n' }, /restart is due/],
  'core dumps': [
    { 'proc/self/limits': 'Max core file size        unlimited            unlimited            bytes\n' },
    /written to a file/,
  ],
  'open files': [
    { 'proc/self/limits': 'Max open files            256                  1048576              files\n' },
    /^256 files/,
  ],
}

async function factsOf(files: Readonly<Record<string, string>>): Promise<HostFacts> {
  for (const [name, content] of Object.entries({ ...good, ...files })) scratch.file(`host/${name}`, content)
  return readHostFacts({ root: scratch.join('host'), state: scratch.join('state'), templates: '/dev/shm' })
}

const weaknesses = (facts: HostFacts): DoctorCheck[] => hostAndProcess(facts).filter(({ status }) => status !== 'pass')
/** What is judged by other things than files has tests of its own below. */
const hostAndProcess = (facts: HostFacts): DoctorCheck[] =>
  [...hostChecks(facts), ...processChecks(facts)].filter(({ name }) => name !== 'host: room for templates')

test('a host with nothing left to do is told so, check by check', async () => {
  expect(weaknesses(await factsOf({}))).toEqual([])
})

describe('a weakness is found by its check, with what to do, and no other is', () => {
  it.each(Object.entries(bad))('%s', async (name, [files, found]) => {
    const [only, ...others] = weaknesses(await factsOf(files))
    expect(others).toEqual([])
    expect(only).toMatchObject({ status: 'warn', detail: expect.stringMatching(found), fix: expect.stringMatching(/.{10}/) })
    expect(`host: ${name}`.startsWith(only?.name as string)).toBe(true)
  })
})

test('a host that tells nothing is believed nothing: what cannot be known is said, and breaks nothing', async () => {
  const checks = await hardeningChecks({
    root: scratch.join('empty'),
    state: scratch.join('state'),
    templates: scratch.join('none'),
  })
  const warned = checks.filter(({ status }) => status === 'warn').map(({ name }) => name)
  expect(warned).toEqual(['host: processor flaws', 'host: room for templates'])
  expect(checks.every(({ detail }) => detail.length > 10)).toBe(true)
})

test('a swap device behind a name of the device mapper is looked at itself', async () => {
  scratch.file('host/dev/dm-1', '')
  mkdirSync(scratch.join('host/dev/mapper'))
  symlinkSync('../dm-1', scratch.join('host/dev/mapper/swap'))
  expect(weaknesses(await factsOf({ 'proc/swaps': 'Filename\n/dev/mapper/swap partition 1 0 -2\n' }))).toEqual([])
})

test('what is said of a flaw of the processor is open only where the kernel says so', () => {
  const said = {
    'Not affected': false,
    'Mitigation: PTE Inversion; VMX: conditional cache flushes, SMT vulnerable': false,
    'Mitigation: PTE Inversion; VMX: vulnerable': true,
    'Mitigation: Clear CPU buffers; SMT Host state unknown': false,
    'Vulnerable: Clear CPU buffers attempted, no microcode': true,
    'KVM: Mitigation: VMX disabled': false,
    'KVM: Vulnerable': true,
    'Processor vulnerable': true,
    'Unknown: Dependent on hypervisor status': false,
    'Mitigation: Speculative Store Bypass disabled via prctl': false,
  }
  expect(openFlaws(new Map(Object.keys(said).map((text) => [text, text])))).toEqual(
    Object.entries(said).flatMap(([text, isOpen]) => (isOpen ? [text] : [])),
  )
})

describe('the place where state is kept', () => {
  it('is a weakness when others may write to it', async () => {
    mkdirSync(scratch.join('state'))
    chmodSync(scratch.join('state'), 0o770)
    expect(weaknesses(await factsOf({}))).toMatchObject([
      { name: 'host: state directory', detail: expect.stringMatching(/mode 0770/) },
    ])
    chmodSync(scratch.join('state'), 0o755)
    expect(weaknesses(await factsOf({}))).toEqual([])
  })

  it('is one when it is nearly full', async () => {
    const facts = { ...(await factsOf({})), stateDirectory: { hostPath: '/state', mode: 0o700, freeMib: 100 } }
    expect(weaknesses(facts)).toMatchObject([{ name: 'host: state directory', detail: expect.stringMatching(/100 MiB left/) }])
  })
})

test.each([
  ['as large as a container’s', { hostPath: '/dev/shm', isTmpfs: true, sizeMib: 64 }, 'warn'],
  ['on a disk', { hostPath: '/dev/shm', isTmpfs: false, sizeMib: 100_000 }, 'warn'],
  ['in memory, and large', { hostPath: '/dev/shm', isTmpfs: true, sizeMib: 4_096 }, 'pass'],
] as const)('room for templates that is %s', async (_, templateDirectory, status) => {
  const checks = processChecks({ ...(await factsOf({})), templateDirectory })
  expect(checks.find(({ name }) => name === 'host: room for templates')?.status).toBe(status)
})

test.each([
  ['--inspect=0.0.0.0', 'warn'],
  ['--heapsnapshot-signal=SIGUSR2', 'warn'],
  ['--max-old-space-size=4096', 'pass'],
] as const)('Node that was started with %s', async (argument, status) => {
  const checks = processChecks({ ...(await factsOf({})), nodeArguments: [argument] })
  expect(checks.find(({ name }) => name === 'host: Node options')?.status).toBe(status)
})

test.each([
  [0o600, 'warn'],
  [0o660, 'pass'],
  [0o666, 'pass'],
] as const)('an accelerator’s device of mode %i', async (acceleratorMode, status) => {
  const checks = hostChecks({ ...(await factsOf({})), acceleratorMode })
  expect(checks.find(({ name }) => name === 'host: accelerator device')?.status).toBe(status)
})

test.runIf(process.platform === 'linux')('this host is read without a failure', async () => {
  const checks = await hardeningChecks({ root: '/', state: scratch.hostPath, templates: '/dev/shm' })
  expect(new Set(checks.map(({ name }) => name)).size).toBe(checks.length)
  for (const { status, fix } of checks) expect([status, fix === undefined]).toEqual([status, status === 'pass'])
})
