export { findProgram, findQemu } from './discover.ts'
export { QemuHypervisor } from './qemu.ts'
