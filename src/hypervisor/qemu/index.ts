export { QemuHypervisor } from './qemu.ts'
export { recogniseVm } from './recognise.ts'
