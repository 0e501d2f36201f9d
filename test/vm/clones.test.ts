/** Clones of one template share its pages and nothing that makes a machine one of its own. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AgentConnection, type ProcessSpec } from '../../src/agent/index.ts'
import { RemoteProcess } from '../../src/agent/remote-process.ts'
import { encodeStart } from '../../src/agent/start.ts'
import type { VmSnapshot, VmSpec } from '../../src/hypervisor/index.ts'
import { QemuHypervisor } from '../../src/hypervisor/qemu/index.ts'
import { findGuestImage } from '../../src/image/index.ts'
import { freshIdentity } from '../../src/machine/identity.ts'
import { bootMachine, type Machine } from '../../src/machine/index.ts'
import { MuxSession } from '../../src/mux/index.ts'
import { planBoot, resolveTemplate } from '../../src/template/index.ts'
import { cloneMachine } from '../support/clone-machine.ts'
import { Scratch } from '../support/scratch.ts'
import { cloneFactLines, cloneFacts } from './clone-facts.ts'

const clonesMax = 8

const sh = (script: string): ProcessSpec => ({
  arguments: ['/bin/sh', '-c', script],
  environment: { PATH: '/bin' },
  cwd: '/',
  user: 'root',
  stdin: 'closed',
})

async function outputOf(starting: ReturnType<AgentConnection['start']>): Promise<string> {
  const process = await starting
  process.stderr.resume()
  let text = ''
  for await (const chunk of process.stdout) text += chunk
  await process.exited
  return text.trim()
}

let hypervisor: QemuHypervisor
let scratch: Scratch
beforeAll(async () => {
  hypervisor = await QemuHypervisor.find()
  scratch = new Scratch()
})
afterAll(() => scratch[Symbol.dispose]())

/** What a template boots from, and where its snapshot goes. */
async function plan(name: string): Promise<VmSpec & VmSnapshot> {
  const template = resolveTemplate('base', { resources: { memoryMib: 128 } })
  const boot = await planBoot(template, await findGuestImage(), 'emulated', `wc-${name}`)
  const files = { hostMemoryPath: scratch.join(`${name}.memory`), hostStatePath: scratch.join(`${name}.state`) }
  return { ...boot, ...files, savesTo: files }
}

describe('clones of one template', () => {
  let snapshot: VmSpec & VmSnapshot
  const clones: Machine[] = []

  beforeAll(async () => {
    snapshot = await plan('ordinary')
    const machine = await bootMachine(hypervisor, snapshot, { template: true })
    // Read here, in the template, what nobody may find again in a clone.
    await outputOf(machine.connection.start(sh(cloneFacts)))
    await outputOf(machine.connection.start(sh('(while :; do sleep 1; echo beat >>/tmp/beats; done) & echo made >/tmp/made')))
    await machine.save()
    for (let count = 0; count < clonesMax; count++) clones.push(await cloneMachine(hypervisor, snapshot, `wc-clone-${count}`))
  })
  afterAll(async () => {
    await Promise.all(clones.map((machine) => machine.destroy()))
  })

  it('differ pairwise in urandom, uuid, boot_id, machine-id, generation, hostname and ASLR', async () => {
    const all = await Promise.all(
      clones.map(async ({ connection }) => (await outputOf(connection.start(sh(cloneFacts)))).split('\n')),
    )
    for (const lines of all) expect(lines).toHaveLength(cloneFactLines)
    for (let fact = 0; fact < cloneFactLines; fact++) expect(new Set(all.map((lines) => lines[fact])).size).toBe(clonesMax)
    expect(all.map((lines) => lines[5])).toEqual(clones.map(({ id }) => id))
  })

  it('have what the template left, and its processes that run', async () => {
    const said = await Promise.all(
      clones.slice(0, 2).map(({ connection }) => outputOf(connection.start(sh('cat /tmp/made; sleep 2.5; tail -1 /tmp/beats')))),
    )
    expect(said).toEqual(['made\nbeat', 'made\nbeat'])
  })

  it('keep what they write to themselves', async () => {
    const [one, other] = clones as [Machine, Machine]
    await outputOf(one.connection.start(sh('echo mine >/tmp/mine')))
    expect(await outputOf(other.connection.start(sh('ls /tmp/mine 2>/dev/null')))).toBe('')
  })

  it('wake in the present after they were paused', async () => {
    const [clone] = clones as [Machine]
    clone.pause()
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    await clone.wake({ timeoutMs: 10_000 })
    const seconds = Number(await outputOf(clone.connection.start(sh('date +%s'))))
    expect(Math.abs(seconds - Date.now() / 1_000)).toBeLessThan(2)
  })
})

it('without the identity step clones take each other’s place: what the step is for', async () => {
  const snapshot = await plan('bare')
  const never = new AbortController().signal
  const vm = await hypervisor.start(snapshot, never)
  try {
    // Saved in the middle of its session, so that a clone answers commands without having been greeted.
    const connection = new AgentConnection(vm.agentPipe)
    await connection.ping()
    await connection.handshake(freshIdentity('wc-bare', 'template'))
    await outputOf(connection.start(sh('true')))
    await connection.ping()
    await vm.save()
  } finally {
    await vm.kill()
  }
  const said = await Promise.all(
    [0, 1].map(async (index) => {
      const parked = await hypervisor.park(snapshot, `wc-bare-${index}`, never)
      try {
        const { agentPipe } = await parked.load()
        const session = new MuxSession(agentPipe, { role: 'client' })
        // The ids that the template's session has used are taken: streams that are given up at once use up more than those, and say nothing.
        for (let used = 0; used < 100; used++) session.open().destroy()
        const process = new RemoteProcess(session, sh(cloneFacts), encodeStart(sh(cloneFacts)), () => {})
        return (await outputOf(process.started)).split('\n')
      } finally {
        await parked.kill()
      }
    }),
  )
  const [one, other] = said as [string[], string[]]
  // Boot id, machine id, generation and hostname. Random numbers are the template's as well, until the kernel happens to reseed itself: nothing to count on either way.
  for (const fact of [2, 3, 4, 5]) expect(other[fact]).toBe(one[fact])
})
