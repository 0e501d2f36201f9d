/** What makes one microVM another than its siblings: fresh for each, given before the first byte of a tenant. */

import { randomBytes, randomUUID } from 'node:crypto'
import type { Identity } from '../agent/index.ts'

/** 256 bits: what Linux's random pool holds (drivers/char/random.c, POOL_BITS). */
const entropyBytes = 32

/** What a microVM is going to be: one that is used, one that is snapshotted first (again, where it was before), or a clone of such a one. */
export type Origin = 'boot' | 'template' | 'clone'

/** An identity whose hostname is the machine's id. The clock is read at the last moment, when it is sent. */
export function freshIdentity(hostname: string, origin: Origin): Identity {
  return {
    entropy: randomBytes(entropyBytes),
    wallClockNs: wallClockNs(),
    hostname,
    machineId: randomUUID().replaceAll('-', ''),
    // 63 random bits, and not 0: two of a billion clones are equal with a chance of one in twenty.
    generationId: origin === 'clone' ? (randomBytes(8).readBigUInt64BE() >> 1n) | 1n : 0n,
    template: origin === 'template',
  }
}

/** Since 1970, in nanoseconds. */
export function wallClockNs(): bigint {
  return BigInt(Date.now()) * nsOfAMs
}

export const nsOfAMs = 1_000_000n
