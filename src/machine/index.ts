export { type BootOptions, bootMachine } from './boot.ts'
export { Machine, type MachineEnd } from './machine.ts'
