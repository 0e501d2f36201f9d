/** A host that runs out of something in the middle of its work says so, in its own typed error, goes on with what it has, and recovers. */

import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, statfsSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createPool, WarmcellError } from '../../../src/index.ts'
import { withDescriptors } from '../../support/descriptors.ts'
import { effort, within } from '../../support/effort.ts'
import { Scratch } from '../../support/scratch.ts'
import { vmProcesses } from '../vm.ts'
import { phasedPool, Striker, small } from './faulty-pool.ts'
import { type Phase, word } from './phases.ts'

/** Nothing is waited for where something is lacking. */
const limitMs = 30_000

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  within(limitMs, 'the call', promise).then(
    () => 'served',
    (error: unknown) => (WarmcellError.is(error) ? error.code : String(error)),
  )

describe.runIf(process.getuid?.() === 0)('a file system of its own', () => {
  let scratch: Scratch
  let disk: string
  beforeEach(() => {
    scratch = new Scratch()
    disk = scratch.join('disk')
    mkdirSync(disk)
    vi.stubEnv('WARMCELL_TEMPLATE_DIR', join(disk, 'memory'))
  })
  afterEach(() => {
    execFileSync('umount', [disk])
    scratch[Symbol.dispose]()
    vi.unstubAllEnvs()
    expect(vmProcesses()).toEqual([])
  })

  const mount = (options: string): void => void execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'warmcell-test', disk])

  /** Takes all that is left, whoever else takes some meanwhile. */
  function fill(hostPath: string): void {
    const file = openSync(hostPath, 'w')
    const piece = Buffer.alloc(1_048_576)
    for (let bytes = piece.length; bytes >= 4_096; ) {
      try {
        writeSync(file, piece, 0, bytes)
      } catch {
        bytes /= 2
      }
    }
    closeSync(file)
  }

  it('without room for a template: it is told before the build, and built once there is room', async () => {
    mount('size=64m')
    await using pool = await createPool({ isolation: 'emulated', stateDir: join(disk, 'state'), templates: { base: small } })
    const refused = await pool.createSandbox().catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'HOST_UNSUPPORTED', message: expect.stringContaining('There is no room') })
    execFileSync('mount', ['-o', 'remount,size=512m', disk])
    await using sandbox = await pool.createSandbox()
    expect((await sandbox.exec(['echo', 'served'])).stdout).toBe('served\n')
  })

  it.each(effort<Phase[]>(['setup'], ['setup', 'saving']))(
    'that is full in the middle of a build, at its %s: the build fails, nothing is left, the next one works',
    async (phase) => {
      mount('size=512m')
      const striker = new Striker()
      const setup = [`echo ${word('setup')}; head -c 33554432 /dev/urandom >/tmp/much; rm /tmp/much`]
      await using pool = await phasedPool(join(disk, 'state'), { base: { ...small, setup } }, striker.at)
      striker.next(phase, () => fill(join(disk, 'full')))
      expect(['BOOT_FAILED', 'HOST_UNSUPPORTED']).toContain(await codeOf(pool.createSandbox()))
      expect(striker.struck).toBeDefined()
      rmSync(join(disk, 'full'))
      expect(vmProcesses()).toEqual([])
      expect(readdirSync(disk, { recursive: true, encoding: 'utf8' }).filter((path) => path.includes('.new.'))).toEqual([])
      await using sandbox = await pool.createSandbox()
      expect((await sandbox.exec(['echo', 'served'])).stdout).toBe('served\n')
    },
  )

  it('that is full under clones that run: one that needs a page of it says so when it ends, and there are others once there is room', async () => {
    mount('size=512m')
    await using pool = await createPool({ isolation: 'emulated', stateDir: join(disk, 'state'), templates: { base: small } })
    const sandbox = await pool.createSandbox()
    fill(join(disk, 'full'))
    // More memory than the template's guest has ever touched.
    const error = await within(
      limitMs,
      'the command',
      sandbox.exec('head -c 33554432 /dev/zero >big').catch((thrown: unknown) => thrown),
    )
    expect(error).toMatchObject({ code: 'SANDBOX_GONE', reason: 'crash', message: expect.stringContaining('is full') })
    rmSync(join(disk, 'full'))
    await using next = await pool.createSandbox()
    expect((await next.exec('head -c 33554432 /dev/zero >big; stat -c %s big')).stdout).toBe('33554432\n')
  })

  it('has room for all that the clones of each template may touch, or takes no further template', async () => {
    mount('size=380m')
    await using pool = await createPool({
      isolation: 'emulated',
      stateDir: join(disk, 'state'),
      templates: { base: small, other: { ...small, setup: ['true'] }, third: { ...small, setup: ['false || true'] } },
    })
    // Each has touched a half of its memory at most: by what is free now, three would fit, also beside the copy of QEMU that runs confined.
    await pool.ready({ template: 'base' })
    await pool.ready({ template: 'other' })
    await expect(pool.ready({ template: 'third' })).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED' })
    const sandboxes = await Promise.all(['base', 'other'].map((template) => pool.createSandbox({ template })))
    for (const sandbox of sandboxes) {
      expect((await sandbox.exec('head -c 33554432 /dev/zero >big; stat -c %s big')).stdout).toBe('33554432\n')
      await sandbox.destroy()
    }
  })

  it('without inodes: told when a pool is made, told when a template is built, and built once there are some', async () => {
    mount('size=512m,nr_inodes=2')
    const options = { isolation: 'emulated', stateDir: join(disk, 'state'), templates: { base: small } } as const
    expect(await codeOf(createPool(options))).toBe('HOST_UNSUPPORTED')
    execFileSync('mount', ['-o', 'remount,nr_inodes=200', disk])
    await using pool = await createPool(options)
    const taken = join(disk, 'taken')
    mkdirSync(taken)
    for (let count = 0; statfsSync(disk).ffree > 0; count++) writeFileSync(join(taken, String(count)), '')
    expect(await codeOf(pool.createSandbox())).toBe('HOST_UNSUPPORTED')
    rmSync(taken, { recursive: true })
    await using sandbox = await pool.createSandbox()
    expect((await sandbox.exec(['echo', 'served'])).stdout).toBe('served\n')
  })
})

describe.runIf(process.platform === 'linux')('descriptors', () => {
  it('that run out at any step of a create: it is told, those that run go on, and the next one is served', {
    timeout: 300_000,
  }, async () => {
    await using pool = await createPool({ isolation: 'emulated', templates: { base: small } })
    const running = await pool.createSandbox()
    const outcomes = new Set<string>()
    for (let more = 0; more <= 48; more += effort(6, 1)) {
      const code = await withDescriptors(more, async () => {
        const creating = pool.createSandbox({ files: { a: 'b' } })
        const outcome = await codeOf(creating)
        if (outcome === 'served') await (await creating).destroy()
        // What is there needs no more descriptors than it has.
        expect((await running.exec(['echo', 'untouched'])).stdout).toBe('untouched\n')
        return outcome
      })
      outcomes.add(code)
      await using next = await within(limitMs, 'the next create', pool.createSandbox())
      expect((await next.exec(['echo', 'served'])).stdout).toBe('served\n')
    }
    // Too few for some, enough for others.
    expect(outcomes.has('served')).toBe(true)
    expect([...outcomes].filter((code) => code !== 'served' && code !== 'BOOT_FAILED' && code !== 'HOST_UNSUPPORTED')).toEqual([])
    expect(outcomes.size).toBeGreaterThan(1)
  })
})
