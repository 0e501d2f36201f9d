export { cgroupsLeft } from './cgroup.ts'
export { type Confinement, confine } from './confine.ts'
export { type ConfinementInfo, type ConfinementPart, confinementParts } from './contract.ts'
export { assertConfined, infoOf, noteGaps } from './telling.ts'
