export { buildSnapshot } from './build.ts'
export { BuildLog } from './log.ts'
