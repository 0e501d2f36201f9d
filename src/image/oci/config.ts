/** Reading an image's configuration: what a microVM honours of it, and what its layers hold when unpacked. */

import { z } from 'zod'
import { foreignText } from '../../common/text.ts'
import type { ImageConfig } from './contract.ts'
import { digestSchema } from './digest.ts'
import { badImage } from './failure.ts'
import { configEntriesMax, configTextBytesMax } from './limits.ts'
import { parsed, parseJson } from './manifest.ts'

const text = z
  .string()
  .max(configTextBytesMax, 'the text is too long')
  .refine((value) => !value.includes('\0'), 'it has a NUL character')
const texts = z.array(text).max(configEntriesMax, 'it has too many entries')

const configSchema = z.object({
  architecture: z.string().max(64),
  os: z.string().max(64),
  config: z
    .object({
      Env: z
        .array(text.regex(/^[^=]+=/, 'a variable is NAME=value'))
        .max(configEntriesMax, 'it has too many entries')
        .nullish(),
      User: text.nullish(),
      WorkingDir: text.nullish(),
      Entrypoint: texts.nullish(),
      Cmd: texts.nullish(),
    })
    .nullish(),
  rootfs: z.object({ diff_ids: z.array(digestSchema) }),
})

export interface Configuration {
  readonly os: string
  readonly architecture: string
  readonly config: ImageConfig
  /** One for each layer, the lowest first. */
  readonly diffIds: readonly string[]
}

/** @param layerCount of the manifest that names this configuration */
export function parseConfiguration(bytes: Uint8Array, layerCount: number): Configuration {
  const { os, architecture, config, rootfs } = parsed(configSchema, parseJson(bytes, 'configuration'), 'configuration')
  if (rootfs.diff_ids.length !== layerCount) {
    throw badImage(`its configuration speaks of ${rootfs.diff_ids.length} layers, and its manifest of ${layerCount}`)
  }
  return {
    os: foreignText(os),
    architecture: foreignText(architecture),
    config: {
      env: config?.Env ?? [],
      user: config?.User ?? '',
      workingDirectory: config?.WorkingDir ?? '',
      entrypoint: config?.Entrypoint ?? [],
      command: config?.Cmd ?? [],
    },
    diffIds: rootfs.diff_ids,
  }
}
