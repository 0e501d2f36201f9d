export { findGuestImage, type GuestImage, type GuestKernel } from './guest-image.ts'
export { rootFormatOf } from './root-image.ts'
