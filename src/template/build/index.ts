export { buildSnapshot, type Stages, type StageWork } from './build.ts'
export { BuildLog } from './log.ts'
