/** Each command of a setup is run once for all builds that begin with the same ones: changing the last does not redo the first. */

import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { resolveTemplate, type TemplateSpec } from '../../src/template/index.ts'
import type { KeyInputs } from '../../src/template/key.ts'
import { originsOf, stagesOf } from '../../src/template/stages.ts'
import type { FakeProgram } from '../../src/testing/index.ts'
import { cloneMachine } from '../support/clone-machine.ts'
import { linesOf, startProgram } from '../support/program.ts'
import { Workshop } from './workshop.ts'

const inputs: KeyInputs = {
  host: { formatVersion: 2, architecture: 'x64', processor: 'p', hypervisor: 'h', guestImage: 'i' },
  isolation: 'emulated',
  machine: ['m'],
  root: 'base',
  resources: { vcpus: 1, memoryMib: 128, diskMib: 64, pids: 64 },
  env: { A: '1' },
  user: 'user',
  cwd: '',
  setup: ['a', 'b', 'c'],
  start: 'serve',
  ready: { port: 80 },
  tenant: null,
}

const keys = (changed: Partial<KeyInputs> = {}): string[] => stagesOf({ ...inputs, ...changed }).map(({ key }) => key)

test('a stage is kept after each command, but after a last one behind which nothing comes', () => {
  expect(stagesOf(inputs).map(({ commands, inputs: { setup } }) => [commands, setup])).toEqual([
    [1, ['a']],
    [2, ['a', 'b']],
    [3, ['a', 'b', 'c']],
  ])
  expect(keys({ ready: null })).toEqual(keys())
  expect(keys({ start: null, ready: null })).toEqual(keys().slice(0, 2))
  expect(keys({ setup: [] })).toEqual([])
  expect(keys({ setup: ['a'], start: null, ready: null })).toEqual([])
})

test('what comes after a stage does not change its key, and what it was made of does', () => {
  for (const later of [{ start: 'other' }, { ready: null }, { user: 'root' }, { cwd: '/srv' }, { setup: ['a', 'b', 'c', 'd'] }])
    expect(keys(later).slice(0, 3)).toEqual(keys())
  const before: Partial<KeyInputs>[] = [
    { env: { A: '2' } },
    { tenant: 'alice' },
    { machine: ['n'] },
    { isolation: 'hardware' },
    { resources: { ...inputs.resources, pids: 65 } },
    { host: { ...inputs.host, guestImage: 'j' } },
    { root: { sha256: '0'.repeat(64) } },
    { setup: ['x', 'b', 'c'] },
  ]
  const all = [{}, ...before].flatMap((changed) => keys(changed))
  expect(new Set(all).size).toBe(all.length)
})

test('a build goes on from the longest beginning: a stage, or a whole template that ends there and has the same user', () => {
  const whole = { ...inputs, start: null, ready: null }
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'b'), { maxLength: 4 }), fc.boolean(), (setup, starts) => {
      const one: KeyInputs = starts ? { ...inputs, setup } : { ...whole, setup }
      const origins = originsOf(one)
      for (const [index, { commands }] of origins.entries())
        expect(origins[index + 1]?.commands ?? 0).toBeLessThanOrEqual(commands)
      expect(new Set(origins.map(({ key }) => key)).size).toBe(origins.length)
      expect(origins.map(({ commands }) => commands)).not.toContain(0)
      for (const { inputs: origin } of origins) {
        expect(setup.slice(0, origin.setup.length)).toEqual(origin.setup)
        expect([origin.start, origin.ready]).toEqual([null, null])
        expect(origin.user === null || origin.user === one.user).toBe(true)
      }
    }),
  )
})

/** Notes in which order it was called with what, and leaves a file in the guest. */
function noting(): { ran: string[]; note: FakeProgram } {
  const ran: string[] = []
  const note: FakeProgram = async ({ argv, files, stdout }) => {
    const [, what = ''] = argv
    ran.push(what)
    files.set(`/made/${what}`, Buffer.from(String(ran.length)))
    await stdout.write(`${what} is made\n`)
    return 0
  }
  return { ran, note }
}

/** A workshop, and what its builds have run. */
function workshopWith(programs: Record<string, FakeProgram> = {}) {
  const { ran, note } = noting()
  const workshop = new Workshop({ note, ...programs })
  const build = async (spec: TemplateSpec): Promise<{ ran: string[]; steps: string[]; digest: string }> => {
    ran.length = workshop.events.length = 0
    // As another process: what this one has in its own memory does not count.
    const { digest } = await workshop.snapshot(spec)
    expect(workshop.hypervisor.guests).toEqual([])
    expect(workshop.left().filter((path) => /\.(new|old)\./.test(path))).toEqual([])
    return { ran: [...ran], steps: workshop.steps, digest }
  }
  return { workshop, build, ran }
}

const five = ['note 1', 'note 2', 'note 3', 'note 4', 'note 5']

test('changing the last of five commands runs that alone, and the template has what all have made', async () => {
  const { workshop, build } = workshopWith()
  using _ = workshop
  expect(await build({ setup: five })).toMatchObject({
    ran: ['1', '2', '3', '4', '5'],
    steps: ['boot', 'setup', 'setup', 'setup', 'setup', 'setup', 'snapshot'],
  })
  expect(workshop.stages().map(({ commands }) => commands)).toEqual([1, 2, 3, 4])
  const changed = [...five.slice(0, 4), 'note other']
  expect(await build({ setup: changed })).toMatchObject({
    ran: ['other'],
    steps: ['cached', 'cached', 'cached', 'cached', 'setup', 'snapshot'],
  })
  expect(workshop.events[1]).toEqual({ type: 'step', step: 'cached', detail: '2 of 5: note 2' })
  const snapshot = await workshop.snapshot({ setup: changed })
  const log = readFileSync(join(Workshop.directoryOf(snapshot), 'build.log'), 'utf8')
  for (const what of ['1', '2', '3', '4', 'other']) expect(log.split(`${what} is made\n`)).toHaveLength(2)
  const clone = await cloneMachine(workshop.hypervisor, snapshot, 'wc-clone')
  expect([...(workshop.hypervisor.guests[0]?.files.keys() ?? [])]).toEqual(
    ['1', '2', '3', '4', 'other'].map((name) => `/made/${name}`),
  )
  await clone.destroy()
  expect(workshop.hypervisor.guestsBooted).toBe(1)
})

test('a command that is added goes on from the whole template, and one that is taken away from a stage', async () => {
  const { workshop, build } = workshopWith()
  using _ = workshop
  await build({ setup: ['note 1'] })
  expect(workshop.stages()).toEqual([])
  expect(await build({ setup: ['note 1', 'note 2'] })).toMatchObject({ ran: ['2'], steps: ['cached', 'setup', 'snapshot'] })
  expect((await build({ setup: ['note 1', 'note 2', 'note 3'] })).ran).toEqual(['3'])
  expect((await build({ setup: ['note 1', 'note 2', 'note 3', 'note 4'], start: 'sleep infinity' })).ran).toEqual(['4'])
  expect((await build({ setup: ['note 1', 'note 2', 'note 3', 'note 4'] })).ran).toEqual([])
  // Another user would have trodden other ways in it.
  expect((await build({ setup: ['note 1', 'note 2'], user: 'root' })).ran).toEqual(['1', '2'])
})

test('changing what is started, who runs it or when it is ready runs no command again', async () => {
  const { workshop, build } = workshopWith()
  using _ = workshop
  const setup = ['note 1', 'note 2']
  const specs: TemplateSpec[] = [
    { setup, start: 'sleep infinity' },
    { setup, start: 'sleep 100' },
    { setup, start: 'sleep 100', user: 'root', cwd: '/srv' },
    { setup, start: 'sleep 100', ready: { exec: ['true'] } },
    { setup },
  ]
  const builds = []
  for (const spec of specs) builds.push(await build(spec))
  expect(builds.map(({ ran }) => ran)).toEqual([['1', '2'], [], [], [], []])
  expect(builds[1]?.steps).toEqual(['cached', 'cached', 'start', 'snapshot'])
  expect(new Set(builds.map(({ digest }) => digest)).size).toBe(5)
})

test('the guest’s clock is put back for what is started, and for nothing else', async () => {
  const asked: string[] = []
  using workshop = new Workshop({ note: noting().note }, undefined, (_, step) => void asked.push(step))
  await workshop.snapshot({ setup: ['note 1'] })
  expect(asked).not.toContain('SetClock')
  asked.length = 0
  await workshop.snapshot({ setup: ['note 1'], start: 'sleep infinity' })
  // It goes on from the template before, is saved as a stage, and goes on from that.
  expect(asked.slice(0, 6)).toEqual(['load', 'Hello', 'SetClock', 'Start', 'Attach', 'Attach'])
})

test('templates that begin alike share their beginnings, also when they are built at once', async () => {
  let running = 0
  const slow: FakeProgram = async ({ signal }) => {
    running++
    await delay(50, 0, { signal })
    return 0
  }
  const { workshop, ran } = workshopWith({ slow })
  using _ = workshop
  const templates = workshop.templates()
  const specs: [string, TemplateSpec][] = [
    ['one', { setup: ['slow', 'note 1', 'note a'] }],
    ['two', { setup: ['slow', 'note 1', 'note b'], user: 'root' }],
    ['three', { setup: ['slow', 'note 1'], start: 'sleep infinity' }],
  ]
  await Promise.all(specs.map(([name, spec]) => templates.snapshot(resolveTemplate(name, spec))))
  expect(running).toBe(1)
  expect(ran.sort()).toEqual(['1', 'a', 'b'])
  expect(workshop.hypervisor.guestsBooted).toBe(1)
})

test('so do two processes', async () => {
  using workshop = new Workshop()
  const trace = workshop.scratch.file('trace', '')
  const builders = ['a', 'b'].map((last) =>
    startProgram('build-template.ts', workshop.scratch.join('state'), trace, 'to-end', 'work 1', 'work 2', `work ${last}`),
  )
  await Promise.all(builders.map((one) => once(one, 'close')))
  expect(readFileSync(trace, 'utf8').split('\n').sort()).toEqual(['', 'building 1', 'building 2', 'building a', 'building b'])
  expect(workshop.left().filter((path) => path.includes('.new.'))).toEqual([])
})

test('tenants that do not share have stages each', async () => {
  const { workshop, ran } = workshopWith()
  using _ = workshop
  const templates = workshop.templates()
  const template = (last: string) => resolveTemplate('mine', { setup: ['note 1', `note ${last}`], sharing: 'tenant' })
  for (const [tenant, last] of [
    ['a', '2'],
    ['b', '2'],
    ['a', '3'],
  ] as const)
    await templates.snapshot(template(last), { tenant })
  expect(ran).toEqual(['1', '2', '1', '2', '3'])
})

test('a third command that fails is named, and when it is mended only it is run', async () => {
  let works = false
  const flaky: FakeProgram = () => (works ? 0 : 7)
  const { workshop, build, ran } = workshopWith({ flaky })
  using _ = workshop
  const setup = ['note 1', 'note 2', 'flaky', 'note 4']
  await expect(build({ setup })).rejects.toMatchObject({
    code: 'BOOT_FAILED',
    message: expect.stringContaining('setup command 3 of 4 (`flaky`) exited with 7'),
  })
  expect(ran).toEqual(['1', '2'])
  expect(workshop.left()).toEqual([])
  expect(workshop.stages().map(({ commands }) => commands)).toEqual([1, 2])
  works = true
  expect(await build({ setup })).toMatchObject({ ran: ['4'], steps: ['cached', 'cached', 'setup', 'setup', 'snapshot'] })
})

/** Writes although nobody may, as a damaged disk does. */
function damage(directory: string, file: string, text: string): void {
  chmodSync(join(directory, file), 0o644)
  writeFileSync(join(directory, file), text)
  chmodSync(join(directory, file), 0o444)
}

test.each(['memory', 'state', 'manifest.json'])(
  'a stage whose %s is damaged is made again from the one before it',
  async (file) => {
    const { workshop, build } = workshopWith()
    using _ = workshop
    const setup = ['note 1', 'note 2', 'note 3']
    await build({ setup })
    const { directory } = workshop.stages()[1] as { directory: string }
    damage(directory, file, '?'.repeat(readFileSync(join(directory, file)).length))
    expect((await build({ setup: ['note 1', 'note 2', 'note x'] })).ran).toEqual(['2', 'x'])
    expect(workshop.stages().map(({ commands }) => commands)).toEqual([1, 2])
    expect((await build({ setup: ['note 1', 'note 2', 'note y'] })).ran).toEqual(['y'])
  },
)

test('without room for a stage the template is built all the same, and says so in its log', async () => {
  const { workshop, build } = workshopWith()
  using _ = workshop
  // Nothing can be made where stages lie.
  const { TemplateStore } = await import('../../src/template/store/index.ts')
  const withDraft = TemplateStore.prototype.withDraft
  TemplateStore.prototype.withDraft = async function (wish, work) {
    if (wish.isStage === true) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
    return withDraft.call(this, wish, work) as never
  }
  try {
    const { steps } = await build({ setup: ['note 1', 'note 2'] })
    expect(steps).toEqual(['boot', 'setup', 'setup', 'snapshot'])
  } finally {
    TemplateStore.prototype.withDraft = withDraft
  }
  expect(workshop.stages()).toEqual([])
  const snapshot = await workshop.snapshot({ setup: ['note 1', 'note 2'] })
  expect(readFileSync(join(Workshop.directoryOf(snapshot), 'build.log'), 'utf8')).toContain('not kept: ENOSPC')
})

test('stages are listed when they are asked for, and go with their template, by their digest, or when nobody wants them', async () => {
  const { workshop, build } = workshopWith()
  using _ = workshop
  const templates = workshop.templates()
  const { digest } = await build({ setup: ['note 1', 'note 2', 'note 3'] })
  expect((await templates.list()).map(({ name, stage }) => [name, stage])).toEqual([['mine', undefined]])
  const all = await templates.list({ stages: true })
  expect(all.map(({ stage }) => stage ?? 0).sort()).toEqual([0, 1, 2])
  expect(all.every(({ state, place, stage }) => state === 'ready' && (stage === undefined || place === 'disk'))).toBe(true)
  expect(await templates.prune()).toEqual([])
  const second = all.find(({ stage }) => stage === 2)?.digest as string
  expect((await templates.remove(second.slice(0, 12))).map(({ stage }) => stage)).toEqual([2])
  expect(await templates.prune({ unusedForMs: 60_000 })).toEqual([])
  await delay(30)
  expect((await templates.remove('mine')).map((one) => one.stage ?? one.digest).sort()).toEqual([1, digest].sort())
  expect(workshop.stages()).toEqual([])
})

test('a stage that nobody has gone on from in a week goes, by a prune and by the next build; a template does not', async () => {
  const { workshop, build } = workshopWith()
  using _ = workshop
  const { utimesSync } = await import('node:fs')
  const week = 7 * 86_400
  const age = (): void => {
    for (const { directory } of workshop.stages()) {
      const used = join(directory, '../used', directory.split('/').at(-1) as string)
      const then = Date.now() / 1_000 - week - 60
      utimesSync(used, then, then)
    }
  }
  const templates = workshop.templates()
  const { digest } = await build({ setup: ['note 1', 'note 2'] })
  age()
  expect((await templates.prune()).map(({ stage }) => stage)).toEqual([1])
  await build({ setup: ['note 3', 'note 4'] })
  age()
  await build({ setup: ['note 5', 'note 6'] })
  expect(workshop.stages().map(({ commands }) => commands)).toEqual([1])
  expect((await templates.list()).map((one) => one.digest)).toContain(digest)
})

test('given up at any moment it leaves nothing but whole stages', async () => {
  for (let turns = 0; turns < 400; turns += 9) {
    const { workshop } = workshopWith()
    using _ = workshop
    const abort = new AbortController()
    const settled = workshop
      .snapshot({ setup: ['note 1', 'note 2', 'note 3'] }, { signal: abort.signal })
      .catch((reason) => reason)
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
    abort.abort('enough')
    await settled
    expect(workshop.hypervisor.guests).toEqual([])
    expect(workshop.left().filter((path) => /\.(new|old)\./.test(path))).toEqual([])
    for (const { directory } of workshop.stages()) expect(existsSync(join(directory, 'state'))).toBe(true)
  }
})

test('a builder that is killed between two commands leaves its stages to the next, and nothing in its way', async () => {
  const { workshop, ran } = workshopWith({ work: () => 0 })
  using _ = workshop
  const trace = workshop.scratch.file('trace', '')
  const killed = startProgram('build-template.ts', workshop.scratch.join('state'), trace, 'hang', 'true', 'work')
  const closed = once(killed, 'close')
  await linesOf(killed).next()
  while (workshop.stages().length === 0) await delay(20)
  killed.kill('SIGKILL')
  await closed
  await workshop.snapshot({ setup: ['true', 'work'] })
  expect(workshop.steps.filter((step) => step !== 'wait')).toEqual(['cached', 'setup', 'snapshot'])
  expect(ran).toEqual([])
  expect(workshop.left().filter((path) => path.includes('.new.'))).toEqual([])
  rmSync(trace)
})
