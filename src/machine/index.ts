export { bootMachine } from './boot.ts'
export { ParkedMachine, parkMachine } from './clone.ts'
export { Machine, type MachineEnd } from './machine.ts'
export { reopenMachine } from './reopen.ts'
