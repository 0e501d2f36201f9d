/** What a stored template says of itself: written last, so that there is none in a half-made one. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { isShortage } from '../../host/index.ts'
import type { VmHardware } from '../../hypervisor/index.ts'
import { formatVersion, type KeyInputs } from '../key.ts'
import { files } from './layout.ts'

interface StoredFile {
  readonly sizeBytes: number
  /** Of a stage's memory, which is mostly zero, by `digestData`; of everything else as sha256sum(1) prints it. */
  readonly sha256: string
}

export interface Manifest {
  readonly formatVersion: number
  readonly key: string
  /** The template it was first built for; another with an equal spec uses it too. */
  readonly name: string
  /** How many commands of the template's setup it has run, where it is a stage of it; absent in a whole template. */
  readonly stage?: number | undefined
  readonly createdAt: string
  /** What its files take, holes left out. */
  readonly allocatedBytes: number
  readonly files: { readonly memory: StoredFile; readonly state: StoredFile }
  readonly hardware: VmHardware
  /** What the key was made of: for people, and to see whether it still holds. The rest of it is for people only. */
  readonly inputs: Pick<KeyInputs, 'host' | 'root'>
}

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const size = z.number().int().nonnegative()
const stored = z.strictObject({ sizeBytes: size, sha256 })

const manifestSchema: z.ZodType<Manifest> = z.strictObject({
  formatVersion: z.literal(formatVersion),
  key: sha256,
  name: z.string(),
  stage: z.number().int().positive().optional(),
  createdAt: z.iso.datetime(),
  allocatedBytes: size,
  files: z.strictObject({ [files.memory]: stored, [files.state]: stored }),
  hardware: z.strictObject({
    isolation: z.enum(['hardware', 'emulated']),
    vcpus: z.number().int().positive(),
    memoryMib: z.number().int().positive(),
    acpi: z.boolean(),
    hostRootPath: z.string(),
  }),
  inputs: z.looseObject({
    host: z.strictObject({
      formatVersion: z.number(),
      architecture: z.string(),
      processor: z.string(),
      hypervisor: z.string(),
      guestImage: z.string(),
    }),
    root: z.union([z.literal('base'), z.strictObject({ sha256 }), z.strictObject({ image: sha256 })]),
  }),
})

/** More than the longest spec: a manifest that is larger is none. */
const manifestBytesMax = 4_194_304

/** @throws an Error that says what is wrong with it. */
export async function readManifest(hostDirectory: string): Promise<Manifest> {
  const text = await readFile(join(hostDirectory, files.manifest), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (isShortage(error)) throw error
    throw new Error(error.code === 'ENOENT' ? 'it has no manifest' : `its manifest cannot be read (${error.code})`)
  })
  if (text.length > manifestBytesMax) throw new Error('its manifest is too long')
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw new Error('its manifest is not JSON')
  }
  const { success, data, error } = manifestSchema.safeParse(json)
  if (success) return data
  const { path, message } = error.issues[0] ?? { path: [], message: 'unknown reason' }
  throw new Error(`its manifest is not valid: ${path.join('.')}: ${message}`)
}

/** What the template in a directory is called; '' where it is none, or is still in the making. */
export function templateNameAt(hostDirectory: string): Promise<string> {
  return readManifest(hostDirectory).then(
    ({ name }) => name,
    () => '',
  )
}

export function manifestText(manifest: Manifest & { readonly inputs: KeyInputs }): string {
  return `${JSON.stringify(manifest, null, 2)}\n`
}
