export { bootMachine } from './boot.ts'
export { cloneMachine, ParkedMachine, parkMachine } from './clone.ts'
export { Machine, type MachineEnd } from './machine.ts'
