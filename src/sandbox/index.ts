export type { CodeError, CodeResult, CodeValue, RunCodeOptions } from './code/contract.ts'
export type { Sandbox, SandboxEvents, SandboxInfo, SandboxState, SandboxUsage } from './contract.ts'
export type {
  DownloadOptions,
  FileData,
  FileEntry,
  FileEvent,
  Files,
  ListOptions,
  ReadFileOptions,
  RemoveOptions,
  WatchOptions,
  WriteFileOptions,
} from './files/contract.ts'
export type { ExposedPort, ExposeOptions, Ports } from './ports/contract.ts'
export type { OutputChunk, Process, Processes, ProcessInfo } from './process/contract.ts'
export type { Command, ExecOptions, SpawnOptions } from './process/options.ts'
export type { OutputStream } from './process/output.ts'
export { CommandExitError, type ExecResult } from './process/result.ts'
export type { SignalName } from './process/signals.ts'
export type { Pty, PtyExit, PtyOptions, Ptys } from './pty/contract.ts'
export { type SandboxBinding, TenantSandbox } from './sandbox.ts'
