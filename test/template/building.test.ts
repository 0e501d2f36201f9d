/** What a build does, in which order, and what is there when it is done. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { digestFile } from '../../src/host/index.ts'
import type { FakeProgram } from '../../src/testing/index.ts'
import { cloneMachine } from '../support/clone-machine.ts'
import { modeOf, Workshop } from './workshop.ts'

/** Puts a file into the guest: `touch PATH`. */
const touch: FakeProgram = ({ argv, files }) => {
  files.set(argv[1] ?? '', Buffer.from('x'))
  return 0
}

test('a template is booted, set up, started, waited for and saved, in this order', async () => {
  const ran: string[] = []
  const note: FakeProgram = ({ argv, user, cwd, env }) => {
    ran.push([argv.slice(1).join(' '), user, cwd, env.NAME].join('|'))
    return 0
  }
  const server: FakeProgram = async ({ user, cwd, env, files, signal, stdout }) => {
    ran.push(['server', user, cwd, env.NAME].join('|'))
    await stdout.write('listening\n')
    await delay(60)
    files.set('/run/ready', Buffer.from(''))
    await delay(60_000, undefined, { signal }).catch(() => {})
    return 0
  }
  using workshop = new Workshop({ note, server })
  const snapshot = await workshop.snapshot({
    setup: ['note one; echo installed', 'note two'],
    start: ['server'],
    ready: { file: '/run/ready' },
    env: { NAME: 'value', UNSET: undefined },
    cwd: '/srv',
  })
  expect(workshop.steps).toEqual(['boot', 'setup', 'setup', 'start', 'ready', 'snapshot'])
  expect(ran).toEqual(['one|root|/|value', 'two|root|/|value', 'server|user|/srv|value'])
  expect(workshop.printed).toContain('installed\n')
  expect(workshop.printed).toContain('listening\n')
  expect(workshop.hypervisor.guests).toEqual([])
  expect(snapshot).toMatchObject({ isolation: 'emulated', vcpus: 1, memoryMib: 256, acpi: true, hostRootPath: '/i/base.erofs' })
  const log = readFileSync(join(Workshop.directoryOf(snapshot), 'build.log'), 'utf8')
  expect(log).toContain('==> setup: 1 of 2: note one; echo installed\ninstalled\n')
})

test('a clone of it has what the setup has made', async () => {
  using workshop = new Workshop({ touch })
  const snapshot = await workshop.snapshot({ setup: ['touch /opt/made'] })
  const machine = await cloneMachine(workshop.hypervisor, snapshot, 'wc-clone')
  expect([...(workshop.hypervisor.guests[0]?.files.keys() ?? [])]).toEqual(['/opt/made'])
  await machine.destroy()
})

test('a stored template is immutable, and its manifest says what it holds', async () => {
  using workshop = new Workshop()
  const snapshot = await workshop.snapshot()
  const directory = Workshop.directoryOf(snapshot)
  expect(readdirSync(directory).sort()).toEqual(['build.log', 'manifest.json', 'memory', 'state'])
  expect(modeOf(directory)).toBe(0o555)
  for (const file of readdirSync(directory)) expect(modeOf(join(directory, file))).toBe(0o444)
  const manifest = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8'))
  expect(manifest).toMatchObject({
    formatVersion: 2,
    key: snapshot.digest,
    name: 'mine',
    files: {
      memory: { sha256: await digestFile(snapshot.hostMemoryPath) },
      state: { sha256: await digestFile(snapshot.hostStatePath) },
    },
    inputs: { host: { guestImage: 'image-1', hypervisor: 'fake hypervisor' }, root: 'base', resources: { memoryMib: 256 } },
  })
  expect(directory.endsWith(`/${snapshot.digest}`)).toBe(true)
  expect(modeOf(join(directory, '..'))).toBe(0o700)
})

test('it is built once, for this process and for the next', async () => {
  using workshop = new Workshop()
  const templates = workshop.templates()
  const [first, second] = await Promise.all([workshop.snapshot({}, {}, templates), workshop.snapshot({}, {}, templates)])
  expect(second).toEqual(first)
  expect(await workshop.snapshot({}, {}, templates)).toEqual(first)
  expect(await workshop.snapshot({ warm: 3 })).toEqual(first)
  expect(workshop.hypervisor.guestsBooted).toBe(1)
  expect(await workshop.snapshot({ env: { A: '1' } })).not.toEqual(first)
  expect(workshop.hypervisor.guestsBooted).toBe(2)
})

test('tenants that do not share have a snapshot each', async () => {
  using workshop = new Workshop()
  const templates = workshop.templates()
  const { resolveTemplate } = await import('../../src/template/index.ts')
  const template = resolveTemplate('mine', { sharing: 'tenant' })
  const digests = await Promise.all(
    ['a', 'b', 'a', undefined].map((tenant) => templates.snapshot(template, tenant ? { tenant } : {})),
  )
  expect(new Set(digests.map(({ digest }) => digest)).size).toBe(3)
  await expect(templates.snapshot(resolveTemplate('mine', { sharing: 'none' }))).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
})

test('a port that is listened on makes it ready', async () => {
  let looks = 0
  const cat: FakeProgram = async ({ argv, stdout }) => {
    expect(argv.slice(1)).toEqual(['/proc/net/tcp', '/proc/net/tcp6'])
    looks++
    const state = looks < 3 ? '01' : '0A'
    await stdout.write('  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n')
    await stdout.write(`   0: 0100007F:1F90 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0\n`)
    return 1 // no tcp6 here
  }
  using workshop = new Workshop({ cat })
  await workshop.snapshot({ start: 'sleep infinity', ready: { port: 8_080 } })
  expect(looks).toBe(3)
  expect(workshop.printed).toBe('')
})

test('a command that exits with 0 makes it ready, run as the template’s user', async () => {
  const users: string[] = []
  const check: FakeProgram = ({ user }) => (users.push(user) < 2 ? 1 : 0)
  using workshop = new Workshop({ check })
  await workshop.snapshot({ setup: ['true'], ready: { exec: ['check'] } })
  expect(users).toEqual(['user', 'user'])
})
