/** A host that lacks something says what, in its own typed error, within seconds, and leaves nothing behind. */

import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createPool, doctor, type WarmcellError } from '../../src/index.ts'
import { vmProcesses } from './vm.ts'

let scratch: string
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'warmcell-test-'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(scratch, { recursive: true, force: true })
  expect(vmProcesses()).toEqual([])
})

const refused = (options = {}): Promise<WarmcellError> =>
  createPool({ isolation: 'emulated', stateDir: join(scratch, 'state'), ...options }).then(
    () => {
      throw new Error('a pool was made')
    },
    (error: WarmcellError) => error,
  )

function program(name: string, text: string): string {
  const path = join(scratch, name)
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, 0o755)
  return path
}

it('no QEMU', async () => {
  vi.stubEnv('WARMCELL_QEMU', 'qemu-system-that-is-not-there')
  expect(await refused()).toMatchObject({
    code: 'HOST_UNSUPPORTED',
    hint: expect.stringContaining('apt-get install qemu-system-x86'),
  })
})

it('an old QEMU', async () => {
  vi.stubEnv('WARMCELL_QEMU', program('qemu', 'echo "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)"'))
  const error = await refused()
  expect(error).toMatchObject({ code: 'HOST_UNSUPPORTED', hint: expect.stringContaining('bookworm-backports') })
  expect(error.message).toContain('7.2.22')
})

it('a QEMU that ends at once says its own words', async () => {
  vi.stubEnv(
    'WARMCELL_QEMU',
    program(
      'qemu',
      'case "$1" in --version) echo "QEMU emulator version 10.0.2";; *) echo "qemu: unknown machine" >&2; exit 1;; esac',
    ),
  )
  await using pool = await createPool({ isolation: 'emulated', stateDir: join(scratch, 'state') })
  await expect(pool.createSandbox()).rejects.toMatchObject({
    code: 'BOOT_FAILED',
    message: expect.stringContaining('unknown machine'),
  })
})

it('no guest image', async () => {
  vi.stubEnv('WARMCELL_IMAGE_DIR', join(scratch, 'nothing'))
  expect(await refused()).toMatchObject({ code: 'IMAGE', hint: expect.stringContaining('guest-image/build') })
})

it('a state directory that cannot be', async () => {
  writeFileSync(join(scratch, 'file'), '')
  expect(await refused({ stateDir: join(scratch, 'file', 'state') })).toMatchObject({
    code: 'HOST_UNSUPPORTED',
    hint: expect.stringContaining('stateDir'),
  })
})

it.runIf(process.getuid?.() === 0)('a full disk', async () => {
  const disk = join(scratch, 'disk')
  mkdirSync(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4k', 'warmcell-test', disk])
  try {
    writeFileSync(join(disk, 'all-of-it'), Buffer.alloc(4_096))
    expect(await refused({ stateDir: join(disk, 'state') })).toMatchObject({
      code: 'HOST_UNSUPPORTED',
      hint: expect.stringContaining('disk is full'),
    })
  } finally {
    execFileSync('umount', [disk])
  }
})

it('a wrong option', async () => {
  expect(await refused({ isolaton: 'emulated' })).toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('isolaton'),
  })
  expect(await refused({ templates: { t: { resources: { memoryMib: 1 } } } })).toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('memoryMib'),
  })
})

it('a root image that is none', async () => {
  writeFileSync(join(scratch, 'root.img'), Buffer.alloc(8_192))
  await using pool = await createPool({
    isolation: 'emulated',
    stateDir: join(scratch, 'state'),
    templates: { mine: { root: { hostPath: join(scratch, 'root.img') } } },
  })
  await expect(pool.createSandbox({ template: 'mine' })).rejects.toMatchObject({
    code: 'IMAGE',
    hint: expect.stringContaining('mkfs.erofs'),
  })
})

it('hardware isolation is proved by a guest that boots, or refused with the alternative and its price', async () => {
  vi.stubEnv('WARMCELL_ISOLATION', '')
  vi.stubEnv('XDG_STATE_HOME', scratch)
  const report = await doctor()
  expect(report.checks.map(({ name }) => name)).toContain('accelerator')
  if (report.isolation === 'hardware') {
    await using pool = await createPool({ isolation: 'hardware', stateDir: join(scratch, 'state') })
    await using sandbox = await pool.createSandbox()
    expect(sandbox.info().isolation).toBe('hardware')
  } else {
    const error = await refused({ isolation: 'hardware' })
    expect(error.code).toBe('HOST_UNSUPPORTED')
    expect(error.message).toMatch(/isolation: 'emulated'.*no security boundary/)
  }
})
