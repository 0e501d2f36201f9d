export { findGuestImage, type GuestImage } from './guest-image.ts'
export { rootFormatOf } from './root-image.ts'
