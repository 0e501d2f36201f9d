/** A build that fails says where and shows what was printed; one that is given up just ends; neither leaves anything. */

import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { WarmcellError } from '../../src/errors.ts'
import type { TemplateSpec } from '../../src/template/index.ts'
import type { FakeProgram } from '../../src/testing/index.ts'
import { Workshop } from './workshop.ts'

const talk: FakeProgram = async ({ stdout, stderr }) => {
  for (let line = 0; line < 2_000; line++) await stdout.write(`line ${line}\n`)
  await stderr.write('\u001b[31mE: no such package\u001b[0m\n')
  return 100
}

async function failureOf(workshop: Workshop, spec: TemplateSpec, readyDeadlineMs?: number): Promise<WarmcellError> {
  const templates = workshop.templates(readyDeadlineMs === undefined ? {} : { readyDeadlineMs })
  const error = await workshop.snapshot(spec, {}, templates).then(
    () => {
      throw new Error('it was built')
    },
    (cause: WarmcellError) => cause,
  )
  expect(workshop.hypervisor.guests).toEqual([])
  expect(workshop.left()).toEqual([])
  return error
}

test('a setup command that fails is named, with the end of what it printed', async () => {
  using workshop = new Workshop({ talk })
  const error = await failureOf(workshop, { setup: ['true', 'talk', 'true'] })
  expect(error).toMatchObject({ code: 'BOOT_FAILED', retryable: false })
  expect(error.message).toMatch(/^template 'mine': setup command 2 of 3 \(`talk`\) exited with 100\./)
  expect(error.message).toContain('line 1999')
  expect(error.message.endsWith('E: no such package')).toBe(true)
  expect(error.message.length).toBeLessThan(5_000)
  expect(workshop.printed).toContain('line 0\n')
})

test('one that prints nothing says so', async () => {
  using workshop = new Workshop()
  expect((await failureOf(workshop, { setup: ['false'] })).message).toContain('exited with 1. It printed nothing.')
})

test('a start command that is not there, or ends before it is ready, is the template’s fault', async () => {
  const broken: FakeProgram = async ({ stderr }) => {
    await stderr.write('address in use\n')
    return 3
  }
  using workshop = new Workshop({ broken })
  const missing = await failureOf(workshop, { start: ['nothing-here'] })
  expect(missing).toMatchObject({ code: 'BOOT_FAILED', retryable: false, cause: { code: 'SPAWN_FAILED' } })
  expect(missing.message).toContain("template 'mine': the start command (`nothing-here`) was not started")
  for (const spec of [{ start: ['broken'] }, { start: 'broken', ready: { file: '/never' } }] satisfies TemplateSpec[]) {
    const error = await failureOf(workshop, spec)
    expect(error).toMatchObject({ code: 'BOOT_FAILED', retryable: false })
    expect(error.message).toMatch(/the start command \(`broken`\) exited with 3\.\nThe end of its output:\naddress in use$/)
  }
})

test('a start command that goes into the background with 0 is none that failed', async () => {
  using workshop = new Workshop()
  await workshop.snapshot({ start: 'true' })
  expect(workshop.steps).toContain('snapshot')
})

test('a template that never becomes ready fails at its deadline, and says what was waited for', async () => {
  const check: FakeProgram = async ({ stdout }) => {
    await stdout.write('still starting\n')
    return 1
  }
  using workshop = new Workshop({ check })
  const port = await failureOf(workshop, { start: 'sleep infinity', ready: { port: 80 } }, 150)
  expect(port).toMatchObject({ code: 'BOOT_FAILED', retryable: true })
  expect(port.message).toContain('it did not become ready (port 80 is listened on): not within 150 ms')
  const exec = await failureOf(workshop, { start: 'sleep infinity', ready: { exec: ['check', 'it'] } }, 150)
  expect(exec.message).toMatch(/\(`check it` exits with 0\): not within 150 ms\.\nThe command said:\nstill starting$/)
  const missing = await failureOf(workshop, { start: 'sleep infinity', ready: { exec: ['not-there'] } })
  expect(missing).toMatchObject({ retryable: false })
  expect(missing.message).toContain('not-there')
})

test('a guest that ends during its setup says so with its console', async () => {
  using workshop: Workshop = new Workshop({
    boom: () => {
      workshop.hypervisor.guests[0]?.crash('Kernel panic - not syncing: out of luck\n')
      return 0
    },
  })
  const error = await failureOf(workshop, { setup: ['boom'] })
  expect(error).toMatchObject({ code: 'BOOT_FAILED', retryable: true })
  expect(error.message).toContain("template 'mine': its microVM ended during setup command 1 of 1 (`boom`): Kernel panic")
  expect(error.message).toContain('The end of the console:\n')
})

test('a guest that does not boot fails as any boot does', async () => {
  using workshop = new Workshop({}, (guest) => guest.crash())
  expect(await failureOf(workshop, {})).toMatchObject({ code: 'BOOT_FAILED', message: expect.stringContaining('did not boot') })
})

test('after a failure the next call builds anew', async () => {
  let works = false
  using workshop = new Workshop({ flaky: () => (works ? 0 : 1) })
  const templates = workshop.templates()
  await expect(workshop.snapshot({ setup: ['flaky'] }, {}, templates)).rejects.toMatchObject({ code: 'BOOT_FAILED' })
  works = true
  await workshop.snapshot({ setup: ['flaky'] }, {}, templates)
})

test.each(['boot', 'setup', 'start', 'ready', 'snapshot'])('given up at the step %s, it leaves nothing', async (step) => {
  using workshop = new Workshop()
  const abort = new AbortController()
  const templates = workshop.templates()
  const { resolveTemplate } = await import('../../src/template/index.ts')
  const template = resolveTemplate('mine', { setup: ['sleep 0.01'], start: 'sleep infinity', ready: { exec: ['true'] } })
  const onEvent = (event: { type: string; step?: string }): void => {
    if (event.step === step) abort.abort('enough')
  }
  await expect(templates.snapshot(template, { signal: abort.signal, onEvent })).rejects.toBe('enough')
  expect(workshop.hypervisor.guests).toEqual([])
  expect(workshop.left()).toEqual([])
})

test('given up at any moment it leaves nothing, or all of it', async () => {
  for (let turns = 0; turns < 120; turns += 3) {
    using workshop = new Workshop()
    const abort = new AbortController()
    const settled = workshop.snapshot({ setup: ['true'] }, { signal: abort.signal }).then(
      () => 'built',
      (reason) => reason,
    )
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
    abort.abort('enough')
    const outcome = await settled
    expect(workshop.hypervisor.guests).toEqual([])
    if (outcome === 'enough') expect(workshop.left().filter((path) => /\.(new|old)\./.test(path))).toEqual([])
    else expect(outcome).toBe('built')
  }
})

test('one caller who gives up leaves the others alone; the last one ends the build', async () => {
  using workshop = new Workshop({ slow: async ({ signal }) => delay(200, 0, { signal }) })
  const templates = workshop.templates()
  const [one, two] = [new AbortController(), new AbortController()]
  const first = workshop.snapshot({ setup: ['slow'] }, { signal: one.signal }, templates)
  const second = workshop.snapshot({ setup: ['slow'] }, { signal: two.signal }, templates)
  await delay(50)
  one.abort('one')
  await expect(first).rejects.toBe('one')
  expect(await second).toMatchObject({ memoryMib: 256 })
  const third = workshop.snapshot({ setup: ['slow', 'true'] }, { signal: two.signal }, templates)
  await delay(50)
  two.abort('two')
  await expect(third).rejects.toBe('two')
  expect(workshop.hypervisor.guests).toEqual([])
  // Whoever comes while it ends gets one of their own.
  expect(await workshop.snapshot({ setup: ['slow', 'true'] }, {}, templates)).toMatchObject({ memoryMib: 256 })
})
