export { planBoot } from './plan.ts'
export { type Env, type Resources, resolveTemplate, type Template, type TemplateSpec } from './template.ts'
