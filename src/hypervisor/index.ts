export type { Hypervisor, Isolation, Vm, VmEnd, VmSpec } from './hypervisor.ts'
