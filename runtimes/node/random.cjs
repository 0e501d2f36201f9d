/**
 * Random numbers that no two clones share. V8's generator and OpenSSL's are in the snapshot with their state: what is drawn from them is drawn here from the kernel, which has
 * been given an identity of its own in every clone.
 */
'use strict'

const crypto = require('node:crypto')
const { openSync, readSync } = require('node:fs')
const { syncBuiltinESMExports } = require('node:module')

const device = openSync('/dev/urandom', 'r')
/** Drawn ahead for Math.random, which is asked often for little. */
const pool = Buffer.alloc(4_096)
let used = pool.length

/** What was drawn ahead was drawn before the snapshot. */
function drawAnew() {
  used = pool.length
}

function fill(bytes) {
  for (let at = 0; at < bytes.length; ) at += readSync(device, bytes, at, bytes.length - at, null)
  return bytes
}

/** 53 bits, as V8's own has. */
function random() {
  if (used + 8 > pool.length) {
    fill(pool)
    used = 0
  }
  const high = pool.readUInt32LE(used) >>> 5
  const low = pool.readUInt32LE(used + 4) >>> 6
  used += 8
  return (high * 67_108_864 + low) / 9_007_199_254_740_992
}

/** Each checks its arguments, and fails, as Node's own does; what that has drawn is drawn over. */
function replaceAll() {
  Math.random = random
  const { randomBytes, randomFill, randomFillSync, randomInt, randomUUID, webcrypto } = crypto

  crypto.randomBytes = crypto.pseudoRandomBytes = (size, callback) => {
    if (callback === undefined) return fill(randomBytes(size))
    randomBytes(size, (error, bytes) => callback(error, bytes && fill(bytes)))
    return undefined
  }
  crypto.randomFillSync = (target, offset, size) => {
    randomFillSync(target, offset, size)
    fill(part(target, offset, size))
    return target
  }
  crypto.randomFill = (target, ...rest) => {
    const callback = rest.pop()
    randomFill(target, ...rest, (error) => {
      if (!error) fill(part(target, ...rest))
      callback(error, target)
    })
  }
  crypto.randomInt = (min, max, callback) => {
    const one = max === undefined || typeof max === 'function'
    const [from, to, done] = one ? [0, min, max] : [min, max, callback]
    randomInt(from, to) // Throws for what is no range.
    const value = from + below(to - from)
    if (done === undefined) return value
    process.nextTick(done, undefined, value)
    return undefined
  }
  crypto.randomUUID = (options) => {
    randomUUID({ ...options, disableEntropyCache: true })
    return uuid()
  }
  const prototype = Object.getPrototypeOf(webcrypto)
  const { getRandomValues } = prototype
  prototype.getRandomValues = function (target) {
    getRandomValues.call(this, target)
    fill(new Uint8Array(target.buffer, target.byteOffset, target.byteLength))
    return target
  }
  prototype.randomUUID = () => uuid()
  syncBuiltinESMExports()
}

/** The bytes that were asked for: offset and size count elements. */
function part(target, offset = 0, size = undefined) {
  const unit = target.BYTES_PER_ELEMENT ?? 1
  const start = offset * unit
  const bytes = size === undefined ? target.byteLength - start : size * unit
  const whole = ArrayBuffer.isView(target)
  return new Uint8Array(whole ? target.buffer : target, (whole ? target.byteOffset : 0) + start, bytes)
}

/** A whole number below `count`, which is at most 2⁴⁸: what would favour some is drawn again. */
function below(count) {
  const limit = 2 ** 48 - (2 ** 48 % count)
  for (;;) {
    const drawn = fill(Buffer.alloc(6)).readUIntBE(0, 6)
    if (drawn < limit) return drawn % count
  }
}

/** Version 4 (RFC 9562). */
function uuid() {
  const bytes = fill(Buffer.alloc(16))
  bytes[6] = (bytes[6] & 0x0f) | 0x40
  bytes[8] = (bytes[8] & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

module.exports = { drawAnew, replaceAll }
