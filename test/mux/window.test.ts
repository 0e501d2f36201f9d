/** The arithmetic of credit: whatever two sides do within it, nothing is lost, nothing is held that was not granted, and nobody waits for ever. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { afterGrant, afterReceiving, frameBytesMax, grantFor, nextFrameBytes, windowBytes } from '../../src/mux/window.ts'

const creditMax = 2_147_483_647

/** One direction of a stream: who sends, what is on its way, and who reads. */
class Direction {
  queued = 0
  sendCredit = windowBytes
  frames: number[] = []
  receiveCredit = windowBytes
  unread = 0
  consumed = 0
  grants: number[] = []
  sent = 0
  read = 0

  send(): void {
    const bytes = nextFrameBytes(this.queued, this.sendCredit)
    expect(bytes).toBeLessThanOrEqual(frameBytesMax)
    if (bytes === 0) return
    this.queued -= bytes
    this.sendCredit -= bytes
    this.sent += bytes
    this.frames.push(bytes)
  }

  receive(): void {
    const bytes = this.frames.shift()
    if (bytes === undefined) return
    this.receiveCredit = afterReceiving(this.receiveCredit, bytes) ?? expect.unreachable('an honest sender was refused')
    this.unread += bytes
  }

  consume(bytes: number): void {
    const taken = Math.min(bytes, this.unread)
    this.unread -= taken
    this.read += taken
    this.consumed += taken
    const grant = grantFor(this.consumed)
    if (grant === 0) return
    this.consumed -= grant
    this.receiveCredit += grant
    this.grants.push(grant)
  }

  hearGrant(): void {
    const grant = this.grants.shift()
    if (grant !== undefined)
      this.sendCredit = afterGrant(this.sendCredit, grant) ?? expect.unreachable('an honest grant was refused')
  }

  check(): void {
    const sum = (list: number[]): number => list.reduce((all, one) => all + one, 0)
    // Each byte of the window is in one place.
    expect(this.sendCredit + sum(this.frames) + this.unread + this.consumed + sum(this.grants)).toBe(windowBytes)
    expect(this.unread).toBeLessThanOrEqual(windowBytes)
    expect(this.receiveCredit).toBe(windowBytes - this.unread - this.consumed)
    expect(this.sent).toBe(this.read + this.unread + sum(this.frames))
  }
}

const action = fc.oneof(
  fc.record({ do: fc.constant('write' as const), bytes: fc.nat(300_000) }),
  fc.record({ do: fc.constantFrom('send' as const, 'receive' as const, 'hearGrant' as const) }),
  fc.record({ do: fc.constant('consume' as const), bytes: fc.nat(300_000) }),
)

it('whatever is written, sent, read and granted in whatever order, a window is all that is held, and in the end everything is read', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const direction = new Direction()
      let written = 0
      for (const one of actions) {
        if (one.do === 'write') {
          direction.queued += one.bytes
          written += one.bytes
        } else if (one.do === 'consume') direction.consume(one.bytes)
        else direction[one.do]()
        direction.check()
      }
      // With a reader who reads, it comes to an end.
      for (let turns = 0; direction.read < written; turns++) {
        expect(turns).toBeLessThan(2_000)
        direction.send()
        direction.receive()
        direction.consume(windowBytes)
        direction.hearGrant()
        direction.check()
      }
    }),
    { numRuns: 200 },
  )
})

describe('what is not honest', () => {
  it('more than the credit is refused, to the byte', () => {
    fc.assert(
      fc.property(fc.nat(windowBytes), fc.nat(0xffff_ffff), (credit, bytes) => {
        expect(afterReceiving(credit, bytes)).toBe(bytes > credit ? undefined : credit - bytes)
      }),
    )
    expect(afterReceiving(windowBytes, windowBytes)).toBe(0)
    expect(afterReceiving(windowBytes, windowBytes + 1)).toBeUndefined()
  })

  it('a window beyond 2^31 - 1 is refused, to the byte', () => {
    fc.assert(
      fc.property(fc.nat(creditMax), fc.nat(0xffff_ffff), (credit, bytes) => {
        expect(afterGrant(credit, bytes)).toBe(credit + bytes > creditMax ? undefined : credit + bytes)
      }),
    )
    expect(afterGrant(windowBytes, creditMax - windowBytes)).toBe(creditMax)
    expect(afterGrant(windowBytes, creditMax - windowBytes + 1)).toBeUndefined()
  })
})
