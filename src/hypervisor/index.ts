export type {
  Hypervisor,
  Isolation,
  ParkedVm,
  Vm,
  VmEnd,
  VmFacts,
  VmHardware,
  VmProcess,
  VmSnapshot,
  VmSpec,
} from './hypervisor.ts'
