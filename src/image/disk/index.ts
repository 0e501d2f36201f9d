export { diskFormatVersion, diskKey } from './format.ts'
export { disksLeft, makeDisk } from './make-disk.ts'
