export { buildSnapshot, type Stages } from './build.ts'
export { BuildLog } from './log.ts'
