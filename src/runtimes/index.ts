export { type RuntimeSpec, runtimes } from './runtimes.ts'
