/** A connection to a small guest, for the tests of the conversation. */

import { AgentConnection, type Identity, type ProcessSpec } from '../../src/agent/index.ts'
import type { MuxSession } from '../../src/mux/index.ts'
import { socketPair } from '../mux/pipes.ts'
import { type SmallGuestScript, smallGuest } from './small-guest.ts'

export async function talkTo(script: SmallGuestScript): Promise<{ connection: AgentConnection; guest: MuxSession }> {
  const [near, far] = await socketPair()
  const guest = smallGuest(far, script)
  return { connection: new AgentConnection(near), guest }
}

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
