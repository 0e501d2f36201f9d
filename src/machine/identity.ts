/** What makes one microVM another than its siblings: fresh for each, given before the first byte of a tenant. */

import { randomBytes, randomUUID } from 'node:crypto'
import type { Identity } from '../agent/index.ts'

/** 256 bits: what Linux's random pool holds (drivers/char/random.c, POOL_BITS). */
const entropyBytes = 32

/** An identity whose hostname is the machine's id. The clock is read at the last moment, when it is sent. */
export function freshIdentity(hostname: string): Identity {
  return {
    entropy: randomBytes(entropyBytes),
    wallClockNs: BigInt(Date.now()) * 1_000_000n,
    hostname,
    machineId: randomUUID().replaceAll('-', ''),
  }
}
