/** What a host may ask of a guest: one call of every kind. */

import type { AgentConnection, Identity, ProcessSpec } from '../../src/agent/index.ts'

export const spec = (changes: Partial<ProcessSpec> = {}): ProcessSpec => ({
  arguments: ['true'],
  environment: { PATH: '/bin' },
  cwd: '/',
  user: 'root',
  stdin: 'closed',
  ...changes,
})

export const identity: Identity = {
  entropy: Buffer.alloc(32, 7),
  wallClockNs: 1_735_689_600_000_000_000n,
  hostname: 'warmcell-1',
  machineId: '0123456789abcdef0123456789abcdef',
  generationId: 7n,
  template: false,
}

const terminal = { columns: 80, rows: 24 }
/** More than goes out without the guest's consent: the write waits in the middle. */
const data = Buffer.alloc(524_288)

/** One call of every kind, under way: all that a host may be waiting for when its guest breaks. Nobody has to handle their failures. */
export function everyCall(connection: AgentConnection): ReadonlyMap<string, Promise<unknown>> {
  const { files, ports, limits } = connection
  const user = 'root'
  const calls = new Map<string, Promise<unknown>>([
    ['handshake', connection.handshake(identity)],
    ['start', connection.start(spec())],
    ['start at a terminal', connection.start(spec({ stdin: 'pipe', terminal }))],
    ['quiesce', connection.quiesce()],
    ['set the clock', connection.setClock(1n)],
    ['ping', connection.ping()],
    ['write a file', files.write('/a', data, { user })],
    ['write a tree', files.writeTree('/a', endless(), { user })],
    ['read a file', files.read('/a', { user })],
    ['read a tree', files.readTree('/a', { user }, new AbortController().signal).next()],
    ['stat', files.stat('/a', { user })],
    ['list', files.list('/a', { user, depth: 1 })],
    ['make a directory', files.makeDirectory('/a', { user })],
    ['rename', files.rename('/a', '/b', { user })],
    ['remove', files.remove('/a', { user, recursive: true })],
    ['watch', files.watch('/a', { user, recursive: true })],
    ['connect', ports.connect(80)],
    ['wait for a port', ports.await(80)],
    ['measure', limits.measure()],
    ['limit', limits.set({ processes: 5 })],
  ])
  for (const call of calls.values()) call.catch(() => {})
  return calls
}

async function* endless(): AsyncGenerator<never> {
  await new Promise(() => {})
}
