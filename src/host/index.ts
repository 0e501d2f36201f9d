export {
  assertConfined,
  type Confinement,
  type ConfinementInfo,
  type ConfinementPart,
  cgroupsLeft,
  confine,
  confinementParts,
  HeldProgram,
  infoOf,
  noteGaps,
  type ProgramUse,
} from './confinement/index.ts'
export { type DoctorCheck, type DoctorFacts, type DoctorReport, examine } from './doctor.ts'
export { digestFile, fingerprint, knownDigest } from './file-digest.ts'
export { allocatedBytes, fileSystemOf, syncToDisk } from './file-system.ts'
export { hardeningChecks } from './hardening/index.ts'
export { Journal, journalled, journalledOwners, microvmsLeft } from './journal/index.ts'
export { type Leftover, type LeftoverKind, leftIn, namesIn, ownerInPart, removeFile, type Sweeper } from './leftover.ts'
export { ticketsLeft, withLock } from './lock.ts'
export { availableMemoryMib } from './memory.ts'
export { type MicrovmInfo, microvmsOf } from './microvms.ts'
export { assertPrivateDirectory, preparePrivateDirectory } from './private-directory.ts'
export { type HardwareVerdict, probeDeadlineMs, probeHardware, remedy } from './probe.ts'
export { identityText, isAlive, ownIdentity, type ProcessIdentity, parseIdentity } from './process-identity.ts'
export { assertReapOptions, leftBehind, type Reaped, type ReapOptions, type ReapReport, sweep, sweepInPassing } from './reaper.ts'
export { isShortage } from './shortage.ts'
export { defaultStateDirectory, prepareStateDirectory } from './state-directory.ts'
export { temporaryFilesLeft } from './temporary-file.ts'
