/** What a microVM is made of, from a file and from the command line. */

import type { TemplateSpec } from '../index.ts'
import { specFromFile } from './spec-file.ts'

export interface SpecChoices {
  file?: string
  memory?: number
  vcpus?: number
  setup?: string[]
  start?: string
}

/** The spec of a file, with what the command line says over it. @throws `INVALID_ARGUMENT` */
export async function specOf({ file, memory, vcpus, setup = [], start }: SpecChoices): Promise<TemplateSpec> {
  const spec = file === undefined ? {} : await specFromFile(file)
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
