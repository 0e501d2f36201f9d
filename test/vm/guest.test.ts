/** What a tenant finds inside, and what it cannot do to its own sandbox. */

import { describe, expect, it } from 'vitest'
import { poolOfThisFile, sandboxOfThisFile } from './vm.ts'

const pool = poolOfThisFile({ templates: { small: { resources: { memoryMib: 128, diskMib: 16, pids: 64 } } } })

describe('a tenant', () => {
  const sandbox = sandboxOfThisFile(pool)

  it('finds a real shell and the usual small tools', async () => {
    const tools = 'ps stty hostname od tar vi httpd grep sed awk find xargs sort wget nc gzip sha256sum less top env id'.split(
      ' ',
    )
    const { stdout } = await sandbox().exec(`for t in ${tools.join(' ')}; do command -v $t >/dev/null || echo "no $t"; done`)
    expect(stdout).toBe('')
  })

  it('sees its own processes and no others', async () => {
    const { stdout } = await sandbox().exec('ps -o pid,comm | tail -n +2')
    const commands = stdout
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/)[1])
    expect(commands).toContain('ps')
    expect(commands.filter((name) => !['init', 'warmcell-agent', 'sh', 'ps', 'tail'].includes(name ?? ''))).toEqual([])
  })

  it('finds harmless devices only, even as root', async () => {
    const { stdout } = await sandbox().exec('cd /dev; find . -type b -o -type c | sort', { user: 'root' })
    const devices = stdout
      .trim()
      .split('\n')
      .filter((path) => !path.startsWith('./pts/'))
    expect(devices).toEqual(['./full', './null', './random', './tty', './urandom', './zero'])
  })

  it('has no network device but its own loopback', async () => {
    expect((await sandbox().exec('ls /sys/class/net')).stdout).toBe('lo\n')
    const talk = '(echo heard | nc -l -p 4000) & until nc 127.0.0.1 4000 2>/dev/null; do sleep 0.1; done'
    expect((await sandbox().exec(talk, { timeoutMs: 20_000 })).stdout).toBe('heard\n')
  })

  it('that is root cannot end its machine, nor make it panic', async () => {
    const root = { user: 'root' }
    for (const end of ['busybox reboot -f', 'busybox halt -f', 'busybox poweroff -f'])
      expect((await sandbox().exec(end, root)).ok, end).toBe(false)
    expect((await sandbox().exec('echo c > /proc/sysrq-trigger', root)).stderr).toContain('Read-only file system')
    expect((await sandbox().exec('echo alive')).stdout).toBe('alive\n')
  })

  it('that is root can do what installing takes: owners, setuid bits, other users, a root of its own', async () => {
    const install = `
      mkdir -p /srv/root/bin && cp /bin/busybox /srv/root/bin/
      touch /srv/file && chown user:user /srv/file && chmod 4755 /srv/file && stat -c '%U %a' /srv/file
      chroot /srv/root /bin/busybox ls /bin
      su user -c 'id -un'
      mkfifo /srv/fifo && ln /srv/file /srv/link && echo done`
    const { output } = await sandbox().exec(install, { user: 'root' })
    expect(output).toBe('user 4755\nbusybox\nuser\ndone\n')
  })

  it('leaves nothing in the root that others share', async () => {
    await sandbox().exec('echo mine > /etc/mine && rm /etc/passwd', { user: 'root', check: true })
    await using other = await pool().createSandbox()
    expect((await other.exec('ls /etc/mine; head -1 /etc/passwd')).stdout).toMatch(/^root:/)
  })
})

describe('an agent that is left room', () => {
  it('answers through a fork bomb', async () => {
    await using sandbox = await pool().createSandbox({ template: 'small' })
    const bomb = sandbox.exec('b() { b | b & }; b; sleep 2', { timeoutMs: 4_000 })
    await bomb
    const said = await sandbox.exec(['echo', 'alive']).catch((error: unknown) => error)
    // The tenant's own limit may leave no room for one more process: that is an answer as well, from a living agent.
    if (said instanceof Error) expect(said).toMatchObject({ code: 'SPAWN_FAILED' })
    else expect(said).toMatchObject({ stdout: 'alive\n' })
    expect(sandbox.state).toBe('running')
  })

  it('outlives a memory hog, and says so', async () => {
    await using sandbox = await pool().createSandbox({ template: 'small' })
    const hog = await sandbox.exec(['tail', '/dev/zero'], { maxBufferBytes: 0 })
    expect(hog).toMatchObject({ signal: 'SIGKILL', oomKilled: true, ok: false })
    expect((await sandbox.exec(['echo', 'alive'])).stdout).toBe('alive\n')
  })

  it('lets a full disk be the tenant’s own problem', async () => {
    await using sandbox = await pool().createSandbox({ template: 'small' })
    const { exitCode, stderr } = await sandbox.exec(
      'dd if=/dev/zero of=/tmp/full bs=64k 2>&1 >/dev/null | head -1 >&2; df /tmp | tail -1',
    )
    expect(exitCode).toBe(0)
    expect(stderr).toMatch(/No space left/)
    expect((await sandbox.exec('rm /tmp/full && echo ok > /tmp/again && cat /tmp/again')).stdout).toBe('ok\n')
    await expect(
      pool().createSandbox({ template: 'small', files: { 'big.bin': new Uint8Array(20 * 1_048_576) } }),
    ).rejects.toMatchObject({ code: 'FILE', errno: 'ENOSPC' })
  })
})
