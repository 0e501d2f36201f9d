export {
  assertConfined,
  type Confinement,
  type ConfinementGap,
  type ConfinementInfo,
  type ConfinementPart,
  confine,
  confinementParts,
  infoOf,
  noteGaps,
} from './confinement/index.ts'
export { type DoctorCheck, type DoctorFacts, type DoctorReport, examine } from './doctor.ts'
export { digestFile, fingerprint, knownDigest } from './file-digest.ts'
export { fileSystemOf } from './file-system.ts'
export { withLock } from './lock.ts'
export { availableMemoryMib } from './memory.ts'
export { type MicrovmInfo, microvmsOf } from './microvms.ts'
export { preparePrivateDirectory } from './private-directory.ts'
export { type HardwareVerdict, probeDeadlineMs, probeHardware, remedy } from './probe.ts'
export { identityText, isAlive, ownIdentity, type ProcessIdentity, parseIdentity } from './process-identity.ts'
export { isShortage } from './shortage.ts'
export { defaultStateDirectory, prepareStateDirectory } from './state-directory.ts'
