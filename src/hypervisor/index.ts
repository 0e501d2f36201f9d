export type { Hypervisor, Isolation, ParkedVm, Vm, VmEnd, VmHardware, VmProcess, VmSnapshot, VmSpec } from './hypervisor.ts'
