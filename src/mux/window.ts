/** The arithmetic of credit: pure functions from numbers to numbers. */

/** What each direction of a stream starts with, and the most a receiver here ever has granted: protocol.md, chapter 2. */
export const windowBytes = 262_144

/** Credit above this is a violation (2³¹ − 1): a number that grows without end is a fault, and must not become one of ours. */
const windowBytesMax = 2_147_483_647

/** The most data in one frame, so that streams share the pipe. Also about where larger writes stop being faster. */
export const frameBytesMax = 65_536

/** Credit is granted in lumps of at least half a window: small grants make small frames, and every frame wakes the guest. */
const grantBytesMin = windowBytes / 2

/** The credit that is left after `bytes` have come, or undefined when they were more than was granted. */
export function afterReceiving(credit: number, bytes: number): number | undefined {
  return bytes > credit ? undefined : credit - bytes
}

/** How much to grant now that the reader has consumed `bytes` since the last grant: all of it, or nothing yet. */
export function grantFor(bytes: number): number {
  return bytes >= grantBytesMin ? bytes : 0
}

/** The credit to send with after a grant, or undefined when the grant is beyond every honest window. */
export function afterGrant(credit: number, bytes: number): number | undefined {
  return credit + bytes > windowBytesMax ? undefined : credit + bytes
}

/** How many of `queued` bytes the next data frame carries. */
export function nextFrameBytes(queued: number, credit: number): number {
  return Math.min(queued, credit, frameBytesMax)
}
