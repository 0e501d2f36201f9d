/** What a value looks like: its text, and whatever richer forms it has. */
'use strict'

const { inspect } = require('node:util')
const { mimePattern } = require('./wire.cjs')

/** Of what inspect says; the rest is left out, with an ellipsis. */
const textCharsMax = 10 * 1024 * 1024

/** All forms, as [mime, bytes]: text/plain first, and always there. */
function* bundle(value) {
  yield ['text/plain', Buffer.from(textOf(value))]
  if (!isPlainData(value)) return
  try {
    const json = JSON.stringify(value)
    if (json !== undefined) yield ['application/json', Buffer.from(json)]
  } catch {
    // It goes round in circles, or holds what JSON has not.
  }
}

/** What display() was given: a value, or what it looks like by MIME type. */
function* shown(value) {
  if (!isBundle(value)) {
    yield* bundle(value)
    return
  }
  if (value['text/plain'] === undefined) yield ['text/plain', Buffer.from(`<${Object.keys(value).join(', ')}>`)]
  const types = Object.keys(value).sort((a, b) => Number(b === 'text/plain') - Number(a === 'text/plain'))
  for (const mime of types) yield [mime, encoded(value[mime])]
}

function encoded(data) {
  if (typeof data === 'string') return Buffer.from(data)
  if (data instanceof Uint8Array)
    return Buffer.from(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'))
  return Buffer.from(JSON.stringify(data) ?? String(data))
}

function isBundle(value) {
  const types = isPlainData(value) && !Array.isArray(value) ? Object.keys(value) : []
  return types.length > 0 && types.every((type) => mimePattern.test(type))
}

function isPlainData(value) {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return Array.isArray(value) || prototype === Object.prototype || prototype === null
}

function textOf(value) {
  const text = inspect(value, { depth: 4, maxStringLength: textCharsMax })
  return text.length > textCharsMax ? `${text.slice(0, textCharsMax)}…` : text
}

module.exports = { bundle, shown }
