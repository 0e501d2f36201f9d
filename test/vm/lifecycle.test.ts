/** A sandbox ends when and only when it should, and nothing of it is left. */

import { readdirSync, readFileSync, symlinkSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { findGuestImage } from '../../src/image/index.ts'
import { createPool, type DestroyReason, type Pool, type SandboxGoneError } from '../../src/index.ts'
import { Scratch } from '../support/scratch.ts'
import { eventually, poolOfThisFile, vmProcesses } from './vm.ts'

const pool = poolOfThisFile()

describe('creating', () => {
  it('works for ten at once', async () => {
    const sandboxes = await Promise.all(Array.from({ length: 10 }, (_, i) => pool().createSandbox({ tenant: `t${i}` })))
    const answers = await Promise.all(sandboxes.map((sandbox) => sandbox.exec(['hostname'])))
    expect(answers.map(({ stdout }) => stdout.trim())).toEqual(sandboxes.map(({ id }) => id))
    await Promise.all(sandboxes.map((sandbox) => sandbox.destroy()))
    expect(vmProcesses().filter((pid) => sandboxes.some(({ id }) => vmProcesses(id).includes(pid)))).toEqual([])
  })

  it('leaves nothing when it is given up on the way', async () => {
    const reason = new Error('changed my mind')
    // The template is everybody's: its build would go on. A clone takes a tenth of a second.
    await pool().ready({ template: 'base' })
    for (const ms of [0, 10, 40]) {
      const controller = new AbortController()
      const creating = pool().createSandbox({ signal: controller.signal })
      setTimeout(() => controller.abort(reason), ms)
      await expect(creating).rejects.toBe(reason)
    }
    expect(pool().stats()).toMatchObject({ booting: 0, waiting: 0, assigned: 0 })
    expect(await eventually(() => vmProcesses().length === 0, 2_000)).toBe(true)
  })
})

describe('ending', () => {
  it('by destroy: calls in flight and calls after it reject at once, and the process is gone', async () => {
    const sandbox = await pool().createSandbox()
    const running = sandbox.exec('sleep 300').catch((error: unknown) => error)
    await sandbox.exec('true')
    await Promise.all(Array.from({ length: 10 }, () => sandbox.destroy()))
    expect(vmProcesses(sandbox.id)).toEqual([])
    expect(await running).toMatchObject({ code: 'SANDBOX_GONE', reason: 'requested' })
    await expect(sandbox.exec('true')).rejects.toMatchObject({ code: 'SANDBOX_GONE', reason: 'requested' })
    expect(sandbox.state).toBe('destroyed')
    expect(pool().getSandbox(sandbox.id)).toBeUndefined()
  })

  it.each<[DestroyReason, object]>([
    ['timeout', { timeoutMs: 400 }],
    ['idle', { idleTimeoutMs: 400 }],
  ])('by %s', async (reason, options) => {
    const sandbox = await pool().createSandbox(options)
    const ended = await new Promise<DestroyReason>((resolve) => sandbox.once('destroyed', resolve))
    expect(ended).toBe(reason)
    expect(vmProcesses(sandbox.id)).toEqual([])
  })

  it('by a kernel panic is a crash that is said with the console’s tail', async () => {
    using scratch = new Scratch()
    await using pool = await poolOfFragileGuests(scratch)
    const sandbox = await pool.createSandbox()
    const ended = new Promise<DestroyReason>((resolve) => sandbox.once('destroyed', resolve))
    await sandbox.exec(['tail', '/dev/zero'], { maxBufferBytes: 0 }).catch(() => {})
    expect(await ended).toBe('crash')
    expect(vmProcesses(sandbox.id)).toEqual([])
    expect(sandbox.state).toBe('crashed')
    const error = (await sandbox.exec('true').catch((thrown: unknown) => thrown)) as SandboxGoneError
    expect(error).toMatchObject({ code: 'SANDBOX_GONE', reason: 'crash' })
    expect(error.message).toContain('Kernel panic')
    expect(error.consoleTail).toContain('Kernel panic')
  })

  it('by a stop from outside: a time limit does not wait for it', async () => {
    const sandbox = await pool().createSandbox()
    const running = sandbox.exec('sleep 300', { timeoutMs: 500, killGraceMs: 0 }).catch((error: unknown) => error)
    await sandbox.exec('true')
    for (const pid of vmProcesses(sandbox.id)) process.kill(pid, 'SIGSTOP')
    // Whichever comes first: that the guest does not answer, or that its process was found stopped.
    expect(await running).toMatchObject({ code: expect.stringMatching(/^(GUEST_UNREACHABLE|SANDBOX_GONE)$/) })
  })

  it('by destroy works at once on a microVM that is stopped', async () => {
    const sandbox = await pool().createSandbox()
    for (const pid of vmProcesses(sandbox.id)) process.kill(pid, 'SIGSTOP')
    await sandbox.destroy()
    expect(vmProcesses(sandbox.id)).toEqual([])
  })

  it('by its process being killed rejects what is in flight, and is counted', async () => {
    const sandbox = await pool().createSandbox()
    const running = sandbox.exec('sleep 300').catch((error: unknown) => error)
    await sandbox.exec('true')
    for (const pid of vmProcesses(sandbox.id)) process.kill(pid, 'SIGKILL')
    expect(await running).toMatchObject({ code: 'SANDBOX_GONE', reason: 'crash' })
    expect(pool().stats().assigned).toBe(0)
  })
})

/** Of guests whose kernel panics when a program runs out of memory: no tenant can make the kernel of the image as it is do so. */
async function poolOfFragileGuests(scratch: Scratch): Promise<Pool> {
  const image = await findGuestImage()
  for (const name of readdirSync(image.hostDirectory)) symlinkSync(join(image.hostDirectory, name), scratch.join(name))
  const manifest = JSON.parse(readFileSync(scratch.join('manifest.json'), 'utf8'))
  unlinkSync(scratch.join('manifest.json'))
  const kernelArguments = [...manifest.kernelArguments, 'sysctl.vm.panic_on_oom=2']
  scratch.file('manifest.json', JSON.stringify({ ...manifest, key: `${manifest.key}-fragile`, kernelArguments }))
  vi.stubEnv('WARMCELL_IMAGE_DIR', scratch.hostPath)
  try {
    const small = { sharing: 'none', resources: { memoryMib: 128 } } as const
    return await createPool({ isolation: 'emulated', templates: { base: small } })
  } finally {
    vi.unstubAllEnvs()
  }
}
