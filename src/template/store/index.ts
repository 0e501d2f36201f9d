export { Draft } from './draft.ts'
export { type Entry, type StoredTemplate, TemplateStore } from './store.ts'
