/** A connection to a small guest, for the tests of the conversation. */

import { AgentConnection } from '../../src/agent/index.ts'
import type { MuxSession } from '../../src/mux/index.ts'
import { socketPair } from '../mux/pipes.ts'
import { type SmallGuestScript, smallGuest } from './small-guest.ts'

export async function talkTo(script: SmallGuestScript): Promise<{ connection: AgentConnection; guest: MuxSession }> {
  const [near, far] = await socketPair()
  const guest = smallGuest(far, script)
  return { connection: new AgentConnection(near), guest }
}
