export { assertPoolOptions, type CreateSandboxOptions, type PoolOptions, wantedIsolation } from './options.ts'
export { MachinePool, type Pool, type PoolEvents, type PoolParts } from './pool.ts'
export { PoolExhaustedError, type PoolStats, type Quantiles } from './stats.ts'
