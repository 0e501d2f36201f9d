export {
  assertBuildOptions,
  assertListOptions,
  assertOpenOptions,
  assertPruneOptions,
  type ListTemplatesOptions,
  type OpenTemplatesOptions,
  type PruneOptions,
  type TemplateCatalog,
  type TemplateInfo,
  type TemplateRecord,
} from './catalog.ts'
export { connectInterpreters, idleProgram, probeInterpreters } from './exercise.ts'
export { planBoot } from './plan.ts'
export { resolveTemplate, resolveTemplates } from './resolve.ts'
export { rooted, withImage } from './rooted.ts'
export type { BuildEvent, BuildOptions, Snapshot } from './snapshot.ts'
export { orphanPlaceSweeper, templateNameAt, templateParent, templateSweeper } from './store/index.ts'
export {
  type Env,
  type Interpreter,
  isImage,
  type Resources,
  type Sharing,
  type Template,
  type TemplateSpec,
  type WarmTarget,
} from './template.ts'
export { Templates, type TemplatesParts } from './templates.ts'
