/** What `doctor` looks at has its section in docs/security/hardening.md, and the other way round. */

import { expect, test } from 'vitest'
import { confinementParts, type DoctorFacts, examine, hardeningChecks } from '../../src/host/index.ts'
import { textOf } from './references.ts'

const facts: DoctorFacts = {
  wanted: 'hardware',
  hypervisor: async () => 'QEMU 10.0.2',
  guestImage: async () => 'Linux 6.12',
  imageTools: async () => 'They are there.',
  hardware: async () => ({ works: true, detail: 'A guest booted under the accelerator.' }),
  confinement: async () => ({ held: [], missing: confinementParts.map((part) => ({ part, detail: 'It is missing.' })) }),
  stateDirectory: async () => '/state',
  leftBehind: async () => [],
  hardening: () => hardeningChecks({ root: '/', state: '/', templates: '/' }),
}

/** Each section with its title. */
const sections = textOf('docs/security/hardening.md')
  .split(/^(?=#{2,3} )/m)
  .slice(1)
  .map((text) => ({ title: text.split('\n')[0] as string, text }))

/** A heading over others has nothing of its own. */
const advice = sections.filter(({ title }, index) => title.startsWith('### ') || !sections[index + 1]?.title.startsWith('### '))

test('each check has its section, and each section its check', async () => {
  const { checks } = await examine(facts)
  const said = sections.flatMap(({ text }) =>
    [...text.matchAll(/^In `doctor`: ([^.\n]+)/gm)].flatMap(([, names = '']) =>
      [...names.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
    ),
  )
  expect(said.toSorted()).toEqual(checks.map(({ name }) => name).toSorted())
})

test('each section says what doctor thinks of it, and has a command that checks it, with what it prints', () => {
  expect(advice.length).toBeGreaterThan(20)
  const silent = advice.filter(({ text }) => !/^(?:In|Not in) `doctor`/m.test(text))
  expect(silent.map(({ title }) => title)).toEqual([])
  const unchecked = advice.filter(({ text }) => !/^```sh\n(?:(?!```).*\n)*?.*\S +# \S/m.test(text))
  expect(unchecked.map(({ title }) => title)).toEqual([])
})
