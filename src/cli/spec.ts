/** What a microVM is made of, from a file and from the command line. */

import { readFile } from 'node:fs/promises'
import { type TemplateSpec, WarmcellError } from '../index.ts'

export interface SpecChoices {
  file?: string
  memory?: number
  vcpus?: number
  setup?: string[]
  start?: string
}

/** The spec of a file, with what the command line says over it. @throws `INVALID_ARGUMENT` */
export async function specOf({ file, memory, vcpus, setup = [], start }: SpecChoices): Promise<TemplateSpec> {
  const spec = file === undefined ? {} : await specFile(file)
  const resources = {
    ...spec.resources,
    ...(memory !== undefined && { memoryMib: memory }),
    ...(vcpus !== undefined && { vcpus }),
  }
  return {
    ...spec,
    ...(Object.keys(resources).length > 0 && { resources }),
    ...(setup.length > 0 && { setup: [...(spec.setup ?? []), ...setup] }),
    ...(start !== undefined && { start }),
  }
}

async function specFile(file: string): Promise<TemplateSpec> {
  try {
    const spec: unknown = JSON.parse(await readFile(file, 'utf8'))
    if (typeof spec === 'object' && spec !== null && !Array.isArray(spec)) return spec
  } catch (cause) {
    throw new WarmcellError('INVALID_ARGUMENT', `--file ${file}: ${(cause as Error).message}`, { cause })
  }
  throw new WarmcellError('INVALID_ARGUMENT', `--file ${file}: expected an object.`)
}
