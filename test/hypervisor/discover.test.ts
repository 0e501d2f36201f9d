import { mkdirSync } from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'
import { findProgram } from '../../src/hypervisor/program.ts'
import { findQemu, hostTscKhz } from '../../src/hypervisor/qemu/discover.ts'
import { Scratch } from '../support/scratch.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

test('QEMU is the one that is named, with its version', async () => {
  using scratch = new Scratch()
  const hostPath = scratch.script('qemu', 'echo "QEMU emulator version 8.2.2 (Debian 1:8.2.2+ds-0ubuntu1)"')
  vi.stubEnv('WARMCELL_QEMU', hostPath)
  expect(await findQemu()).toEqual({ hostPath, version: '8.2.2', hostDataPaths: [] })
})

test('its firmware is what it would find itself, in the first of its directories that has it', async () => {
  using scratch = new Scratch()
  for (const directory of ['a', 'b']) mkdirSync(scratch.join(directory))
  const files = ['a/qboot.rom', 'b/qboot.rom', 'b/pvh.bin'].map((name) => scratch.file(name, name))
  scratch.file('b/openbios-ppc', 'of another machine')
  const help = `echo ${scratch.join('a')}; echo ${scratch.join('b')}; echo /not/there`
  vi.stubEnv(
    'WARMCELL_QEMU',
    scratch.script('qemu', `if [ "$1" = -L ]; then ${help}; else echo "QEMU emulator version 10.0.2"; fi`),
  )
  expect((await findQemu()).hostDataPaths).toEqual([files[0], files[2]])
})

test('QEMU is the first on the PATH that can be run', async () => {
  using scratch = new Scratch()
  for (const directory of ['a', 'b', 'c', 'd']) mkdirSync(scratch.join(directory))
  mkdirSync(scratch.join('a/qemu'))
  scratch.file('b/qemu', 'no program')
  const hostPath = scratch.script('c/qemu', 'echo "QEMU emulator version 10.0.2"')
  scratch.script('d/qemu', 'echo "QEMU emulator version 11.0.0"')
  vi.stubEnv('PATH', ['a', 'b', 'c', 'd'].map((directory) => scratch.join(directory)).join(':'))
  vi.stubEnv('WARMCELL_QEMU', 'qemu')
  expect(await findQemu()).toEqual({ hostPath, version: '10.0.2', hostDataPaths: [] })
  expect(await findProgram('not-there')).toBeUndefined()
  expect(await findProgram(scratch.join('b/qemu'))).toBeUndefined()
})

const wrong: [string, string, string][] = [
  ['too old', 'echo "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)"', 'is QEMU 7.2.22, which is too old'],
  ['just too old', 'echo "QEMU emulator version 8.1.9"', 'is QEMU 8.1.9, which is too old'],
  ['something else', 'echo "hello, I am not who you think"', 'does not say its version'],
  ['broken', 'echo "error while loading shared libraries" >&2; exit 127', 'does not run'],
  ['hanging', 'exec sleep 60', 'does not run'],
]
test.each(wrong)('a QEMU that is %s is refused with what to do', async (_, text, message) => {
  using scratch = new Scratch()
  vi.stubEnv('WARMCELL_QEMU', scratch.script('qemu', text))
  await expect(findQemu()).rejects.toMatchObject({
    code: 'HOST_UNSUPPORTED',
    message: expect.stringContaining(message),
    hint: expect.stringContaining('bookworm-backports'),
  })
})

test('no QEMU is refused with what to install', async () => {
  vi.stubEnv('WARMCELL_QEMU', 'qemu-that-is-not-there')
  await expect(findQemu()).rejects.toMatchObject({
    code: 'HOST_UNSUPPORTED',
    message: expect.stringContaining('There is no qemu-that-is-not-there on this host. Install QEMU 8.2 or newer'),
  })
})

test('the rate of the host’s counter is a plausible one, or unknown', async () => {
  const khz = await hostTscKhz()
  expect(khz === undefined || (khz > 100_000 && khz < 10_000_000 && Number.isInteger(khz))).toBe(true)
})
