export { type LaunchedChild, startChild, withFiles } from './child.ts'
export { directLauncher } from './direct-launcher.ts'
export { gateWords, openGate } from './gate.ts'
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
export {
  firstDescriptor,
  type Launch,
  type Launched,
  type LaunchedProgram,
  type Launcher,
  type LaunchLimits,
  type StandardStreams,
} from './launcher.ts'
export { findProgram } from './program.ts'
