/** The host's connection to a guest that a test plays frame by frame, on a real socket. */

import { AgentConnection, encodeMessage, type GuestProcess } from '../../src/agent/index.ts'
import { identity, spec } from '../agent/talking.ts'
import { socketPair } from '../mux/pipes.ts'
import { RawPeer } from '../mux/raw-peer.ts'

export interface RawGuest {
  readonly connection: AgentConnection
  readonly peer: RawPeer
}

export async function rawGuest(): Promise<RawGuest> {
  const [near, far] = await socketPair()
  return { connection: new AgentConnection(near), peer: new RawPeer(far) }
}

/** A process that has started, as far as its host knows. The first one of a guest has the streams 1 (control), 3 (stdio) and 5 (stderr). */
export async function startedProcess({ connection, peer }: RawGuest): Promise<GuestProcess> {
  const starting = connection.start(spec({ stdin: 'pipe' }))
  await peer.saw(({ streamId }) => streamId === 5)
  peer.data(1, encodeMessage({ type: 'Started', pid: 7 }))
  return starting
}

/** One call of every kind, under way: all that a host may be waiting for when its guest breaks. Nobody has to handle their failures. */
export function everyCall(connection: AgentConnection): ReadonlyMap<string, Promise<unknown>> {
  const { files, ports, limits } = connection
  const user = 'root'
  const calls = new Map<string, Promise<unknown>>([
    ['handshake', connection.handshake(identity)],
    ['start', connection.start(spec())],
    ['start at a terminal', connection.start(spec({ stdin: 'pipe', terminal: { columns: 80, rows: 24 } }))],
    ['quiesce', connection.quiesce()],
    ['set the clock', connection.setClock(1n)],
    ['ping', connection.ping()],
    ['write a file', files.write('/a', Buffer.alloc(1_048_576), { user })],
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
