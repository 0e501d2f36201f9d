/** Images of Debian's packages, made without a registry, and what a microVM is like whose root is one. Needs apt's lists and mirror. */

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createPool } from '../../src/index.ts'
import { Scratch } from '../support/scratch.ts'

const script = fileURLToPath(new URL('../../scripts/debian-image', import.meta.url))

/** What the script prints on stdout, and what it says on stderr. */
const debianImage = (args: string[], env: NodeJS.ProcessEnv = {}) =>
  promisify(execFile)('bash', [script, ...args], { env: { ...process.env, ...env } })

/** Three builds take a minute, on a machine that has much else to do five. */
const patienceMs = 600_000

describe('scripts/debian-image', () => {
  it(
    'makes the same bytes of the same packages, once for all who ask at the same time',
    async () => {
      using scratch = new Scratch()
      const env = { WARMCELL_CACHE_DIR: scratch.join('cache') }
      const [one, two] = await Promise.all([1, 2].map(() => debianImage(['--include', 'busybox-static', '--tag', 'small'], env)))
      expect(one?.stdout).toMatch(/^oci:\/.*\/cache\/debian-images\/[0-9a-f]{16}:small\n$/)
      expect(two?.stdout).toBe(one?.stdout)
      expect([one, two].filter((outcome) => outcome?.stderr.includes('layout'))).toHaveLength(1)

      const index = (hostPath: string) => readFileSync(`${hostPath}/index.json`, 'utf8')
      const first = index(one?.stdout.slice('oci:'.length, -':small\n'.length) ?? '')
      const again = await debianImage(
        ['--include', 'busybox-static', '--tag', 'small', '--force', '--output', scratch.join('copy')],
        env,
      )
      expect(again.stdout).toBe(`oci:${scratch.join('copy')}:small\n`)
      expect(index(scratch.join('copy'))).toBe(first)
      // What is there of another name is somebody's.
      await expect(
        debianImage(['--include', 'busybox-static', '--tag', 'other', '--output', scratch.join('copy')], env),
      ).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('name another directory') })
      expect(index(scratch.join('copy'))).toBe(first)
    },
    patienceMs,
  )

  it(
    'makes a root in which an ordinary user works, and nothing tells of this host',
    async () => {
      const reference = (await debianImage(['python'])).stdout.trim()
      await using pool = await createPool({ isolation: 'emulated', templates: { python: { root: { oci: reference } } } })
      const sandbox = await pool.createSandbox({ template: 'python' })
      const { stdout } = await sandbox.exec(
        'id; pwd; echo $HOME; touch mine && ls; getent hosts localhost; cat /etc/resolv.conf; ls /etc/apt',
        {
          check: true,
        },
      )
      expect(stdout.split('\n')).toEqual([
        'uid=1000(user) gid=1000(user) groups=1000(user)',
        '/home/user',
        '/home/user',
        'mine',
        expect.stringMatching(/localhost/),
        'apt.conf.d',
        'preferences.d',
        '',
      ])
      const python = await sandbox.exec([
        'python3',
        '-c',
        'import json, sqlite3, ssl, sys; print(json.dumps(sys.version_info[:2]))',
      ])
      expect(python).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^\[3, \d+\]\n$/) })
    },
    patienceMs,
  )
})
