/** Numbers as the command line reads and prints them. */

import { InvalidArgumentError } from 'commander'

export const msOfADay = 86_400_000

export function days(text: string): number {
  const number = Number(text)
  if (text !== '' && number >= 0) return number
  throw new InvalidArgumentError('Expected a number of days.')
}

export const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)

export const mib = (bytes: number): string => (bytes / 1_048_576).toFixed(1)
