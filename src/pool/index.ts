export type { Pool, PoolEvents } from './contract.ts'
export { assertPoolOptions, type CreateSandboxOptions, type PoolOptions, wantedIsolation } from './options.ts'
export { MachinePool } from './pool.ts'
export { PoolExhaustedError, type PoolStats, type Quantiles } from './stats.ts'
