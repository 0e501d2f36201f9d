export type { TarEntry } from './entry.ts'
export { blockBytes } from './header.ts'
export { TarReader } from './reader.ts'
export { Refusal, shownName } from './refusal.ts'
