/** For tests of what is built on warmcell: a pool that needs no hypervisor, no image and no time. */

export type { FakeLimits, FakeLoad } from './fake-account.ts'
export type { FakeGuest, FakeIdentity } from './fake-guest.ts'
export { createFakePool, type FakePool, type FakePoolOptions } from './fake-pool.ts'
export type { FakeServer } from './fake-ports.ts'
export type { FakeOutput, FakeProcess, FakeProgram } from './program.ts'
export type { FakeStep } from './step.ts'
