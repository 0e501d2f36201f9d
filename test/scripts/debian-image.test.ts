/** What is asked of scripts/debian-image is checked before anything is made, and what it writes is an OCI layout whose bytes depend on its input alone. */

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { Scratch } from '../support/scratch.ts'

const script = (name: string): string => fileURLToPath(new URL(`../../scripts/${name}`, import.meta.url))

interface Outcome {
  code: number | string | null | undefined
  stdout: string
  stderr: string
}

function run(program: string, args: string[], env: NodeJS.ProcessEnv, input = Buffer.alloc(0)): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
    )
    child.stdin?.on('error', () => {}).end(input)
  })
}

describe('scripts/debian-image', () => {
  it.each([
    ['nothing', [], 'Name a preset or --include'],
    ['an unknown preset', ['perl'], 'python, python-data, node, gcc'],
    ['two presets', ['python', 'node'], 'one preset at a time'],
    ['a preset with packages', ['python', '--include', 'ruby'], 'is what it is'],
    ['an unknown option', ['--frobnicate'], 'unknown option --frobnicate'],
    ['an option without its value', ['--include'], '--include needs a value'],
    ['what is an option to apt', ['--include', '-oDir=/'], 'no name of a Debian package'],
    ['what names no package', ['--include', 'ruby,Ruby;reboot'], "'Ruby;reboot' is no name of a Debian package"],
    ['what names no package to do without', ['python', '--without', 'a b'], "'a b' is no name"],
    ['a tag that is none', ['python', '--tag', '../up'], 'cannot be a tag'],
    ['a path outside of the image', ['python', '--leave-out', '../*'], 'expected a path of the image'],
  ])('refuses %s', async (_, args, words) => {
    using scratch = new Scratch()
    const outcome = await run('bash', [script('debian-image'), ...args], {
      ...process.env,
      WARMCELL_CACHE_DIR: scratch.join('cache'),
    })
    expect(outcome).toEqual({ code: 1, stdout: '', stderr: expect.stringContaining(words) })
    expect(outcome.stderr).toMatch(/^error: .*\n$/)
    expect(readdirSync(scratch.hostPath)).toEqual([])
  })

  it('names the command that installs what it lacks', async () => {
    using scratch = new Scratch()
    for (const name of ['dirname', 'apt-get', 'dpkg']) symlinkSync(`/usr/bin/${name}`, scratch.join(name))
    symlinkSync(process.execPath, scratch.join('node'))
    const outcome = await run('/bin/bash', [script('debian-image'), 'python'], { HOME: scratch.hostPath, PATH: scratch.hostPath })
    expect(outcome).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^error: .* As root: apt-get install .*mmdebstrap\n$/),
    })
  })
})

describe('the layout', () => {
  const tar = Buffer.alloc(200_000, 'not looked into')
  const facts = { ...process.env, tag: 'tools', arch: 'amd64', description: 'Debian', SOURCE_DATE_EPOCH: '1735689600' }
  const write = (directory: string) => run(process.execPath, [script('oci-layout.mjs'), directory], facts, tar)
  const digest = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

  it('leads from its index to the very bytes of the layer', async () => {
    using scratch = new Scratch()
    expect(await write(scratch.hostPath)).toMatchObject({ code: 0, stderr: '' })
    const blob = (descriptor: { digest: string; size: number }): Buffer => {
      const bytes = readFileSync(join(scratch.hostPath, 'blobs', descriptor.digest.replace(':', '/')))
      expect([digest(bytes), bytes.length]).toEqual([descriptor.digest, descriptor.size])
      return bytes
    }
    const json = (bytes: Buffer) => JSON.parse(bytes.toString())

    expect(json(readFileSync(scratch.join('oci-layout')))).toEqual({ imageLayoutVersion: '1.0.0' })
    const [entry] = json(readFileSync(scratch.join('index.json'))).manifests
    expect(entry.annotations).toEqual({ 'org.opencontainers.image.ref.name': 'tools' })
    const manifest = json(blob(entry))
    const config = json(blob(manifest.config))
    expect(config).toMatchObject({
      architecture: 'amd64',
      os: 'linux',
      created: '2025-01-01T00:00:00Z',
      config: { User: 'user' },
    })
    expect(config.rootfs.diff_ids).toEqual([digest(tar)])
    expect(gunzipSync(blob(manifest.layers[0])).equals(tar)).toBe(true)
    expect(readdirSync(scratch.join('blobs/sha256'))).toHaveLength(3)
  })

  it('is the same, written twice', async () => {
    using scratch = new Scratch()
    const indexes = ['one', 'two'].map(async (name) => {
      await write(scratch.join(name))
      return readFileSync(scratch.join(`${name}/index.json`), 'utf8')
    })
    const [one, two] = await Promise.all(indexes)
    expect(one).toContain('sha256:')
    expect(two).toBe(one)
  })
})
