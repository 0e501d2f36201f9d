/** The numbers of protocol/runtime.md: what one run may send, and what is taken in answer. */

/** The generation of what is spoken; a driver that speaks another says so. */
export const runtimeVersion = 1

/** One request, its line feed included, in bytes: a driver holds it whole. */
export const requestBytesMax = 8_388_608

/** Of one frame, in bytes: as one read of a pipe brings, and few enough to be passed on whole. */
export const payloadBytesMax = 65_536

/** Representations of values in one run. A guest that shows more is cut short by its own driver; one that does not do that is not believed. */
export const resultsMax = 1_024

/** Of all of them together, in bytes: they are kept until the run has ended. */
export const resultBytesMax: number = 64 * 1_024 * 1_024
