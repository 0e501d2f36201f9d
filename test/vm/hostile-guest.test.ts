/** A guest that does its worst: its sandbox answers, or ends and says why, within seconds; whoever is beside it notices nothing. */

import { afterAll, describe, expect, it } from 'vitest'
import { type Sandbox, WarmcellError } from '../../src/index.ts'
import { within } from '../support/effort.ts'
import { poolOfThisFile, sandboxOfThisFile, vmProcesses } from './vm.ts'

const pool = poolOfThisFile({
  templates: {
    base: { resources: { memoryMib: 160, diskMib: 32, pids: 64 } },
    two: { resources: { memoryMib: 160, vcpus: 2 } },
  },
})
const neighbour = sandboxOfThisFile(pool)

/** A second or two are promised of each; a busy machine gets more. */
const limitMs = 10_000

async function isFine(sandbox: Sandbox): Promise<void> {
  expect(await within(limitMs, 'an exec beside it', sandbox.exec('echo fine >fine; cat fine'))).toMatchObject({
    stdout: 'fine\n',
  })
}

afterAll(() => isFine(neighbour()))

async function destroyInTime(sandbox: Sandbox): Promise<void> {
  await within(limitMs, 'destroy', sandbox.destroy())
  expect(vmProcesses(sandbox.id)).toEqual([])
}

describe('whatever runs in it, it is destroyed within a second', () => {
  it.each([
    ['a fork bomb', 'base', 'bomb() { bomb | bomb & }; bomb >/dev/null 2>&1 </dev/null; sleep 300'],
    ['a memory hog', 'base', `while :; do awk 'BEGIN { text = "x"; while (1) text = text text }'; done`],
    ['a busy loop on every processor', 'two', 'for i in 1 2 3 4; do while :; do :; done & done; wait'],
    ['programs that take no signal', 'base', `trap '' TERM INT HUP; for i in 1 2 3; do (while :; do sleep 1; done) & done; wait`],
  ])('%s', async (_name, template, command) => {
    const sandbox = await pool().createSandbox({ template })
    const running = await sandbox.spawn(command, { retain: 'none' })
    const ended = running.wait().catch((error: unknown) => error)
    await isFine(neighbour())
    // It answers all the while: of usage no process is needed.
    expect((await within(limitMs, 'usage', sandbox.usage())).processes).toBeGreaterThan(0)
    await destroyInTime(sandbox)
    expect(await ended).toMatchObject({ code: 'SANDBOX_GONE', reason: 'requested' })
  })
})

it('a busy loop on every processor leaves room for a command', async () => {
  await using sandbox = await pool().createSandbox({ template: 'two' })
  expect((await sandbox.exec('nproc')).stdout).toBe('2\n')
  await sandbox.exec('for i in 1 2 3 4; do while :; do :; done >/dev/null 2>&1 & done')
  expect((await within(60_000, 'the command', sandbox.exec(['echo', 'alive']))).stdout).toBe('alive\n')
})

describe('the agent', () => {
  it.each([
    ['is nobody a tenant’s root could kill', 'kill -9 1; kill -9 -1; kill -STOP 1; true'],
    ['outlives the end of every other process', 'echo e >/proc/sysrq-trigger; echo i >/proc/sysrq-trigger'],
    ['outlives a choice of the kernel’s out-of-memory killer', 'for i in 1 2 3 4 5; do echo f >/proc/sysrq-trigger; done'],
    [
      'cannot be replaced',
      'find / -xdev -name "*agent*" -type f 2>/dev/null; ls -la /proc/1/exe; cp /bin/busybox /proc/1/exe; echo x >/init; true',
    ],
  ])('%s: what is asked next is answered, or the end is told', async (_name, command) => {
    const sandbox = await pool().createSandbox()
    await within(
      limitMs,
      'the command',
      sandbox.exec(command, { user: 'root' }).catch(() => {}),
    )
    const answer = await within(
      limitMs,
      'the next command',
      sandbox.exec(['echo', 'alive']).catch((error: unknown) => error),
    )
    if (WarmcellError.is(answer)) expect(['SANDBOX_GONE', 'SPAWN_FAILED']).toContain(answer.code)
    else expect(answer).toMatchObject({ stdout: 'alive\n', ok: true })
    await destroyInTime(sandbox)
  })
})

it('a disk without inodes says so, gives them back, and is nobody else’s', async () => {
  await using sandbox = await pool().createSandbox()
  const filled = await sandbox.exec('mkdir many && cd many && seq 1 40000 | xargs touch', { maxBufferBytes: 65_536 })
  expect(filled).toMatchObject({ ok: false, oomKilled: false })
  expect(filled.stderr).toContain('No space left on device')
  await expect(sandbox.files.write('one-more', 'x')).rejects.toMatchObject({ code: 'FILE', errno: 'ENOSPC' })
  await isFine(neighbour())
  expect((await neighbour().exec('ls | grep -c many')).stdout).toBe('0\n')
  await sandbox.files.remove('many', { recursive: true })
  await isFine(sandbox)
})

describe('its devices', () => {
  it('are two of virtio, the disk and the port of the agent, and nothing on another bus', async () => {
    const root = { user: 'root' }
    const { stdout } = await neighbour().exec(
      'cat /sys/bus/virtio/devices/*/device | sort; ls /sys/bus/pci/devices /sys/bus/usb/devices 2>/dev/null',
      root,
    )
    expect(stdout.split('\n').filter((line) => line !== '' && !line.endsWith(':'))).toEqual(['0x0002', '0x0003'])
  })

  it('hold no /dev/kvm, and a root cannot make it', async () => {
    const { stdout, stderr, exitCode } = await neighbour().exec(
      'ls /dev/kvm; grep -w kvm /proc/misc; mknod /tmp/kvm c 10 232 && : </tmp/kvm && echo opened',
      { user: 'root' },
    )
    expect(exitCode).not.toBe(0)
    expect(stdout).toBe('')
    expect(stderr).toContain('mknod: /tmp/kvm: Operation not permitted')
  })
})
