/** What a tar file may hold at most beside its files. */

const KiB = 1_024
const MiB = 1_024 * KiB

/** Bytes of one entry's extended attributes with their names: the tool that makes the disk takes 64 KiB of them. */
export const attributeBytesMax: number = 60 * KiB

/** Bytes of a header that only extends the next one: what Go's archive/tar, with which container engines read layers, takes. */
export const extensionBytesMax: number = MiB
