export { type DoctorCheck, type DoctorFacts, type DoctorReport, examine } from './doctor.ts'
export { availableMemoryMib } from './memory.ts'
export { type HardwareVerdict, probeDeadlineMs, probeHardware, remedy } from './probe.ts'
export { defaultStateDirectory, prepareStateDirectory } from './state-directory.ts'
