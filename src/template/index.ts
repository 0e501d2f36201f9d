export { planBoot } from './plan.ts'
export type { BuildEvent, BuildOptions, Snapshot } from './snapshot.ts'
export {
  type Env,
  type Resources,
  resolveTemplate,
  resolveTemplates,
  type Sharing,
  type Template,
  type TemplateSpec,
  type WarmTarget,
} from './template.ts'
