export { hardeningChecks } from './harden.ts'
