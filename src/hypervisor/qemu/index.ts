export { findProgram } from './discover.ts'
export { QemuHypervisor } from './qemu.ts'
