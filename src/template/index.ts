export { planBoot } from './plan.ts'
export { type Env, type Resources, resolveTemplate, resolveTemplates, type Template, type TemplateSpec } from './template.ts'
