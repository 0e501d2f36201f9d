export { diskFormatVersion, diskKey } from './format.ts'
export { userHome } from './home.ts'
export { disksLeft, makeDisk } from './make-disk.ts'
