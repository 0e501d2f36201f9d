/** What an image may hold at most: each limit keeps a hostile one from costing the host more than a large ordinary one does. */

const KiB = 1_024
const MiB = 1_024 * KiB
const GiB = 1_024 * MiB

export interface LayerLimits {
  /** Layers of an image. Docker's own storage drivers stop at 127; each costs two readings of its blob. */
  readonly layersMax: number
  /** Entries of all layers together, also those that a later layer hides. The largest images in common use have 300,000; one takes 300 bytes of this process's memory while the disk is made. */
  readonly entriesMax: number
  /** Bytes of all names, link targets and extended attributes together: they are held in memory. 300,000 entries have some 10 MiB. */
  readonly textBytesMax: number
  /** Unpacked bytes of one layer's tar file. */
  readonly layerBytesMax: number
  /** Unpacked bytes of all layers' tar files: images with a machine-learning stack have 15 GiB. */
  readonly imageBytesMax: number
  /** Bytes of one file. */
  readonly fileBytesMax: number
  /** How many times its blob's size a layer may unpack to, once it is beyond `unpackedBytesFree`. Ordinary layers stay below 20; gzip can do 1,032, zstd many times that. */
  readonly compressionRatioMax: number
  /** Unpacked bytes of a layer that no ratio is asked of: a small layer may well be an empty file. */
  readonly unpackedBytesFree: number
  /** Directories inside each other. The path's length allows 2,000; what is deeper than a few hundred breaks common programs. */
  readonly depthMax: number
  /** Names compared when the disk is made: the tool that makes it looks a name up by going through its directory. A directory of 100,000 names needs as many as this, and less than a minute. */
  readonly comparisonsMax: number
  /** Directories that paths lead through, all together, with those that symbolic links send them to: 100 for each of half a million entries, some seconds. */
  readonly stepsMax: number
}

export const defaultLayerLimits: LayerLimits = {
  layersMax: 256,
  entriesMax: 500_000,
  textBytesMax: 128 * MiB,
  layerBytesMax: 16 * GiB,
  imageBytesMax: 32 * GiB,
  fileBytesMax: 8 * GiB,
  compressionRatioMax: 250,
  unpackedBytesFree: 64 * MiB,
  depthMax: 512,
  comparisonsMax: 5_000_000_000,
  stepsMax: 50_000_000,
}

/** A name's bytes: NAME_MAX of Linux. */
export const nameBytesMax = 255

/** A path's bytes: PATH_MAX of Linux without the NUL. Also a symbolic link's target, which squashfs keeps within a page. */
export const pathBytesMax = 4_095

/** Symbolic links that one path may lead through: as many as Linux follows. */
export const linksFollowedMax = 40

/** Different numbers of users and groups: the format of the disk has a table for them, indexed by 16 bits. */
export const ownersMax = 65_535
