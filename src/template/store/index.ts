export type { Draft } from './draft.ts'
export { storeFailure } from './failure.ts'
export { templateNameAt } from './manifest.ts'
export { type Entry, type StoredTemplate, TemplateStore } from './store.ts'
