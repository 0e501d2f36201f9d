/** Processes that share a state directory share its templates: one builds, all use it; one that is killed is in nobody's way. */

import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { linesOf, startProgram } from '../support/program.ts'
import { Workshop } from './workshop.ts'

const builder = 'build-template.ts'

test('two build at once, and one build is made', async () => {
  using workshop = new Workshop()
  const trace = workshop.scratch.file('trace', '')
  const state = workshop.scratch.join('state')
  const builders = Array.from({ length: 2 }, () => startProgram(builder, state, trace, 'to-end'))
  const ends = builders.map((one) => once(one, 'close'))
  const digests = await Promise.all(
    builders.map(async (one) => {
      const lines: string[] = []
      for await (const line of { [Symbol.asyncIterator]: () => linesOf(one) }) lines.push(line)
      return lines.at(-1)
    }),
  )
  await Promise.all(ends)
  expect(readFileSync(trace, 'utf8')).toBe('building\n')
  expect(new Set(digests).size).toBe(1)
  // And this process uses it too: another build would fail, for it does not have the program.
  const snapshot = await workshop.snapshot({ setup: ['work'] })
  expect(snapshot.digest).toBe(digests[0])
  expect(workshop.hypervisor.guestsBooted).toBe(0)
})

test('when the builder is killed, who waits for it takes over within two seconds and clears up after it', async () => {
  let built = 0
  using workshop = new Workshop({
    work: () => {
      built = performance.now()
      return 0
    },
  })
  const trace = workshop.scratch.file('trace', '')
  const killed = startProgram(builder, workshop.scratch.join('state'), trace, 'hang')
  const closed = once(killed, 'close')
  await linesOf(killed).next()
  const waiting = workshop.snapshot({ setup: ['work'] })
  await delay(300)
  expect(workshop.steps).toEqual(['wait'])
  expect(workshop.left().filter((path) => path.includes('.new.'))).not.toEqual([])
  const killedAt = performance.now()
  killed.kill('SIGKILL')
  const snapshot = await waiting
  await closed
  expect(built - killedAt).toBeLessThan(2_000)
  expect(readdirSync(dirname(Workshop.directoryOf(snapshot))).sort()).toEqual([snapshot.digest, 'state-directory'])
})
