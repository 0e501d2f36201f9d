export { Journal } from './journal.ts'
export { journalled } from './launcher.ts'
export { journalledOwners, microvmsLeft } from './leftovers.ts'
