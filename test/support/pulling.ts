/** What tests of pulling look at. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { WarmcellError } from '../../src/errors.ts'
import type { PulledImage } from '../../src/image/oci/index.ts'
import { defaultTiming, type Timing } from '../../src/image/oci/timing.ts'
import { type Image, sha256 } from './oci-image.ts'
import type { Scratch } from './scratch.ts'

/** As always, but nobody is waited for long. */
export const impatient: Timing = {
  ...defaultTiming,
  connectMs: 2_000,
  idleMs: 200,
  documentMs: 2_000,
  firstDelayMs: 2,
  lastDelayMs: 10,
}

/** That it is the image, and that every layer on this host has the bytes it should have. */
export function assertWhole(pulled: PulledImage, image: Image): void {
  expect(pulled.digest).toBe(image.manifest.digest)
  expect(pulled.layers.map(({ digest }) => digest)).toEqual(image.layers.map(({ digest }) => digest))
  for (const { hostPath, digest, sizeBytes } of pulled.layers) {
    const bytes = readFileSync(hostPath)
    expect(sha256(bytes)).toBe(digest)
    expect(bytes.length).toBe(sizeBytes)
  }
}

/** The error that a pull ends with. */
export async function failureOf(pull: Promise<unknown>): Promise<WarmcellError> {
  const error = await pull.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  if (!(error instanceof WarmcellError)) throw new Error(`expected an error of warmcell, not ${error}`)
  return error
}

/** What is in the cache, by kind. Locks are never left. */
export function cacheOf(scratch: Scratch, name = 'cache'): { blobs: string[]; partial: string[] } {
  const names = (directory: string): string[] => {
    const hostPath = scratch.join(`${name}/oci/${directory}`)
    return existsSync(hostPath) ? readdirSync(hostPath).sort() : []
  }
  expect(names('locks')).toEqual([])
  return { blobs: names('blobs/sha256'), partial: names('partial') }
}
