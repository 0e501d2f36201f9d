export { findGuestImage, type GuestImage } from './guest-image.ts'
export { type RootFormat, rootFormatOf } from './root-image.ts'
