export { type LaunchedChild, startChild, withFiles } from './child.ts'
export { directLauncher } from './direct-launcher.ts'
export { firstDescriptor, gateWords, openGate } from './gate.ts'
export type {
  Hypervisor,
  Isolation,
  ParkedVm,
  SnapshotFiles,
  Vm,
  VmEnd,
  VmFacts,
  VmHardware,
  VmProcess,
  VmSnapshot,
  VmSpec,
} from './hypervisor.ts'
export type { Launch, Launched, LaunchedProgram, Launcher, LaunchLimits } from './launcher.ts'
export { findProgram } from './program.ts'
