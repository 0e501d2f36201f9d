/** The stored templates of one test file, in a place of their own. */

import { afterAll, beforeAll, expect, vi } from 'vitest'
import { type BuildEvent, openTemplates, type TemplateCatalog, type TemplateInfo, type TemplateSpec } from '../../src/index.ts'
import { Scratch } from '../support/scratch.ts'
import { vmProcesses } from './vm.ts'

export interface StoredTemplates {
  readonly scratch: Scratch
  readonly templates: TemplateCatalog
}

/** Below the scratch directory: `memory` is the place in memory, `state/warmcell` the state directory. */
export function templatesOfThisFile(): () => StoredTemplates {
  let stored: StoredTemplates
  beforeAll(async () => {
    const scratch = new Scratch()
    vi.stubEnv('WARMCELL_TEMPLATE_DIR', scratch.join('memory'))
    stored = { scratch, templates: await openTemplates({ isolation: 'emulated', stateDir: scratch.join('state/warmcell') }) }
  })
  afterAll(() => {
    vi.unstubAllEnvs()
    stored.scratch[Symbol.dispose]()
  })
  return () => stored
}

/** Builds one, and tells by which steps. Nothing of the build still runs then. */
export async function buildSteps(
  templates: TemplateCatalog,
  name: string,
  spec: TemplateSpec,
): Promise<TemplateInfo & { steps: string[] }> {
  const steps: string[] = []
  const onEvent = (event: BuildEvent): void => void (event.type === 'step' && steps.push(event.step))
  const built = await templates.build(name, spec, { onEvent })
  expect(vmProcesses()).toEqual([])
  return { ...built, steps }
}
