/** A tenant's own processes are held too: what a container scanner looks at, and more, tried for real as the ordinary user and as root. */

import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { Scratch } from '../support/scratch.ts'
import { poolOfThisFile, sandboxOfThisFile } from './vm.ts'

const pool = poolOfThisFile()
const sandbox = sandboxOfThisFile(pool)

/** What the programs of posture/ say in the guest: a line for each point, what it is and the answer. */
async function answers(user: string): Promise<string[][]> {
  const { stdout } = await sandbox().exec(['/opt/posture'], { user, check: true })
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'))
}

beforeAll(async () => {
  using scratch = new Scratch()
  const sources = join(import.meta.dirname, 'posture')
  const names = readdirSync(sources).filter((name) => name.endsWith('.c'))
  const program = scratch.join('posture')
  // Static: the root has no C library.
  execFileSync('cc', ['-static', '-O1', '-Wall', '-Werror', '-o', program, ...names.map((name) => join(sources, name))])
  for (const [path, mode] of [
    ['/opt/posture', 0o755],
    ['/opt/posture-setuid', 0o4755],
    ['/opt/posture-capable', 0o755],
  ] as const)
    await sandbox().files.write(path, readFileSync(program), { user: 'root', mode })
  await sandbox().exec(['/opt/posture', '--grant', '/opt/posture-capable'], { user: 'root', check: true })
})

it('what a tenant’s program finds, and is let do, is in the golden table: as the ordinary user, and as root', async () => {
  const [asUser, asRoot] = [await answers('user'), await answers('root')]
  expect(asRoot.map(([what]) => what)).toEqual(asUser.map(([what]) => what))
  const points = asUser.map(([what, user], at) => {
    const root = asRoot[at]?.[1]
    return user === root ? `${what}\n    both  ${user}` : `${what}\n    user  ${user}\n    root  ${root}`
  })
  await expect(`${points.join('\n')}\n`).toMatchFileSnapshot('posture.golden.txt')
  // Whatever was tried, the machine is as it was.
  expect(await sandbox().exec('hostname; cat /etc/hostname')).toMatchObject({ ok: true })
})

it('a program whose file asks for capabilities is not run for an ordinary user, who is told why', async () => {
  await expect(sandbox().exec(['/opt/posture-capable'])).rejects.toMatchObject({
    code: 'SPAWN_FAILED',
    message: expect.stringContaining("asks for capabilities that user 'user' cannot have in a sandbox"),
  })
})

it('whatever starts it, a program is held: at a terminal, let go of, as a setup, as a hook', async () => {
  const held = "grep -hE '^(CapBnd|Seccomp):' /proc/self/status | tr -s '\\t\\n' '  '"
  const hook = `printf '#!/bin/sh\\n%s\\n' "${held} > /srv/hook" > /etc/warmcell/clone.d/held`
  await pool().updateTemplate('held', {
    setup: [`${held} > /srv/setup`, `mkdir -p /etc/warmcell/clone.d && ${hook} && chmod 755 /etc/warmcell/clone.d/held`],
    start: `${held} > /srv/start; sleep 1000`,
    user: 'root',
    ready: { file: '/srv/start' },
  })
  await using sandbox = await pool().createSandbox({ template: 'held', user: 'user' })
  const ofRoot = 'CapBnd: 00000000800405fb Seccomp: 2 '
  for (const who of ['setup', 'start', 'hook']) expect(await sandbox.files.read(`/srv/${who}`), who).toBe(ofRoot)
  const detached = await sandbox.spawn(`${held} > /tmp/detached`)
  detached.detach()
  await detached.wait()
  const terminal = await sandbox.pty.create({ command: ['sh', '-c', `${held} > /tmp/terminal`] })
  await terminal.wait()
  for (const who of ['detached', 'terminal'])
    expect(await sandbox.files.read(`/tmp/${who}`), who).toBe('CapBnd: 0000000000000000 Seccomp: 2 ')
})
