/** The host's connection to a guest that a test plays frame by frame, on a real socket. */

import { AgentConnection, encodeMessage, type GuestProcess } from '../../src/agent/index.ts'
import { socketPair } from '../mux/pipes.ts'
import { RawPeer } from '../mux/raw-peer.ts'
import { spec } from './calls.ts'

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
