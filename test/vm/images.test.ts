/** A template on an image of a real registry: pulled, made a disk, started as the image says, and there for the next one. */

import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type BuildEvent, createPool, openImages } from '../../src/index.ts'
import { debianImage } from '../support/debian-image.ts'
import { Registry, skopeo } from '../support/registry.ts'
import { Scratch } from '../support/scratch.ts'

const patienceMs = 300_000

let scratch: Scratch
let registry: Registry
beforeAll(async () => {
  scratch = new Scratch()
  registry = await Registry.start()
  const layout = scratch.join('layout')
  await skopeo('copy', debianImage('gcc'), `oci:${layout}:app`)
  const config = {
    user: 'user',
    workingdir: '/srv',
    env: ['GREETING=hello', 'LANG=C.UTF-8'],
    entrypoint: ['/bin/sh', '-c'],
    cmd: ['while :; do sleep 3600; done'],
  }
  const words = Object.entries(config).flatMap(([name, value]) => [value].flat().map((one) => `--config.${name}=${one}`))
  execFileSync('umoci', ['config', '--image', `${layout}:app`, ...words], { stdio: 'ignore' })
  await registry.push(`oci:${layout}:app`, 'team/app:1')
  // The guest image is where it was; what is pulled is this file's own.
  vi.stubEnv(
    'WARMCELL_IMAGE_DIR',
    execFileSync('bash', ['guest-image/build', '--kernel', kernel, '--print-path'], { encoding: 'utf8' }).trim(),
  )
  vi.stubEnv('WARMCELL_CACHE_DIR', scratch.join('cache'))
}, patienceMs)
afterAll(async () => {
  vi.unstubAllEnvs()
  await registry?.[Symbol.asyncDispose]()
  scratch[Symbol.dispose]()
})

const kernel = process.env.WARMCELL_KERNEL || 'stock'

it('what the image says holds, where the template does not say otherwise; the second template needs no registry', {
  timeout: patienceMs,
}, async () => {
  const oci = `${registry.host}/team/app:1`
  const registries = { [registry.host]: { plainHttp: true } }
  const options = { isolation: 'emulated', stateDir: scratch.join('state'), registries } as const
  const steps: string[] = []
  const onEvent = (event: BuildEvent): void => {
    if (event.type === 'step' && event.step !== steps.at(-1)) steps.push(event.step)
  }
  {
    await using pool = await createPool(options)
    await pool.updateTemplate('app', { root: { oci }, env: { LANG: 'C' } }, { onEvent })
    expect(steps.slice(0, 4)).toEqual(['pull', 'disk', 'boot', 'start'])
    const sandbox = await pool.createSandbox({ template: 'app' })
    expect(
      (await sandbox.exec('whoami; pwd; echo $GREETING $LANG; cat /proc/[0-9]*/comm | grep -cx sleep; gcc --version | wc -l'))
        .stdout,
    ).toMatch(/^user\n\/srv\nhello C\n1\n[1-9]/)
    await pool.updateTemplate('quiet', { root: { oci }, start: [], user: 'root', cwd: '/' })
    const quiet = await pool.createSandbox({ template: 'quiet' })
    expect((await quiet.exec('whoami; pwd; cat /proc/[0-9]*/comm | grep -cx sleep')).stdout).toBe('root\n/\n0\n')
  }
  await registry[Symbol.asyncDispose]()
  await using pool = await createPool({
    ...options,
    templates: { other: { root: { oci }, setup: ['echo made > /srv/it'], start: [] } },
  })
  expect((await (await pool.createSandbox({ template: 'other' })).exec('cat it')).stdout).toBe('made\n')
  // What a living process uses is not cleared away.
  expect(await (await openImages()).prune({ all: true })).toMatchObject({ disks: 0 })
})
