export { findQemu } from './discover.ts'
export { QemuHypervisor } from './qemu.ts'
export { recogniseVm } from './recognise.ts'
