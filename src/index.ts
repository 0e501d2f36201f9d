/** The whole public surface of warmcell. */

export type { CallOptions } from './common/deadline.ts'
export { type DestroyReason, type ErrorCode, type ErrorDetails, FileError, SandboxGoneError, WarmcellError } from './errors.ts'
export type { DoctorCheck, DoctorReport } from './host/index.ts'
export type { Isolation } from './hypervisor/index.ts'
export {
  type CreateSandboxOptions,
  type FailureReason,
  type Pool,
  type PoolEvents,
  PoolExhaustedError,
  type PoolOptions,
  type PoolStats,
  type Quantiles,
  type ReadyOptions,
  type TemplateStats,
  type TenantLimits,
  type TenantsOption,
  type UpdateOptions,
} from './pool/index.ts'
export {
  type Command,
  CommandExitError,
  type DownloadOptions,
  type ExecOptions,
  type ExecResult,
  type ExposedPort,
  type ExposeOptions,
  type FileData,
  type FileEntry,
  type FileEvent,
  type Files,
  type ListOptions,
  type OutputChunk,
  type OutputStream,
  type Ports,
  type Process,
  type Processes,
  type ProcessInfo,
  type Pty,
  type PtyOptions,
  type Ptys,
  type RemoveOptions,
  type Sandbox,
  type SandboxEvents,
  type SandboxInfo,
  type SandboxState,
  type SandboxUsage,
  type SignalName,
  type SpawnOptions,
  type WatchOptions,
  type WriteFileOptions,
} from './sandbox/index.ts'
export type {
  BuildEvent,
  BuildOptions,
  Env,
  OpenTemplatesOptions,
  PruneOptions,
  Resources,
  Sharing,
  TemplateCatalog,
  TemplateInfo,
  TemplateRecord,
  TemplateSpec,
  WarmTarget,
} from './template/index.ts'
export { createPool, createSandbox, doctor, openTemplates } from './wiring.ts'
