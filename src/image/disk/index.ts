export { diskFormat, diskFormatVersion, diskKey } from './format.ts'
export { type Disk, type DiskOptions, disksLeft, makeDisk } from './make-disk.ts'
