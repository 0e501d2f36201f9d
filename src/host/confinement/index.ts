export { type Confinement, confine } from './confine.ts'
export type { ConfinementGap, ConfinementPart } from './contract.ts'
