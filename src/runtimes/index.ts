export { runtimes } from './runtimes.ts'
