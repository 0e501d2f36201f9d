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
  ] as const)
    await sandbox().files.write(path, readFileSync(program), { user: 'root', mode })
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
