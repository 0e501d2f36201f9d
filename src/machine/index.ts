export { bootMachine } from './boot.ts'
export { Machine, type MachineEnd } from './machine.ts'
