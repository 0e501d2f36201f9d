/** The records of a pax extended header: `LENGTH KEY=VALUE\n` each. Values are bytes, kept as latin1. */

import { Refusal } from './refusal.ts'

/** Digits of a record's length: a header has a million bytes at most. */
const lengthDigitsMax = 7

/** The last value of each key wins; an empty one takes back what came before. @throws {@link Refusal} for anything else. */
export function decodePax(bytes: Buffer): Map<string, string> {
  const records = new Map<string, string>()
  for (let at = 0; at < bytes.length; ) {
    const blank = bytes.indexOf(0x20, at)
    const digits = blank > at && blank - at <= lengthDigitsMax ? bytes.toString('latin1', at, blank) : ''
    const end = at + Number(digits)
    const equals = bytes.indexOf(0x3d, blank + 1)
    if (
      !/^[1-9][0-9]*$/.test(digits) ||
      end > bytes.length ||
      bytes[end - 1] !== 0x0a ||
      equals < 0 ||
      equals >= end - 1 ||
      equals === blank + 1
    )
      throw new Refusal('has a damaged extended header')
    const key = bytes.toString('latin1', blank + 1, equals)
    const value = bytes.toString('latin1', equals + 1, end - 1)
    if (value === '') records.delete(key)
    else records.set(key, value)
    at = end
  }
  return records
}

/** A whole number of a record. @throws {@link Refusal} */
export function paxNumber(value: string, key: string, entry: string): number {
  const number = /^[0-9]{1,16}$/.test(value) ? Number(value) : Number.NaN
  if (!Number.isSafeInteger(number)) throw new Refusal(`has a '${key}' in its extended header that is no number`, entry)
  return number
}

/** Seconds since 1970, without their fraction. @throws {@link Refusal} */
export function paxTime(value: string, entry: string): number {
  if (!/^-?[0-9]{1,15}(\.[0-9]*)?$/.test(value)) throw new Refusal(`has a time in its extended header that is none`, entry)
  return Math.floor(Number(value))
}
