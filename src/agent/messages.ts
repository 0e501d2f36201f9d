/** What the two sides can say: each message as a type. */

export type Direction = 'guest' | 'host'

/** The greatest length of a message, by whom it is for. The guest's own are answers of a few fields. */
export const messageBytesMax: Readonly<Record<Direction, number>> = { guest: 1_048_576, host: 65_536 }

/** What is said of something in a file system, whichever way it goes. */
export interface FileFacts {
  path: string
  kind: number
  sizeBytes: number
  /** The permission bits, with those of set-user-id, set-group-id and sticky. */
  mode: number
  /** Since 1970. */
  modifiedNs: bigint
  /** Of a symbolic link. */
  target?: string
}

export type HostMessage =
  | {
      type: 'Hello'
      generation: number
      entropy: Uint8Array
      wallClockNs: bigint
      hostname: string
      machineId: string
      generationId: bigint
      template: number
    }
  | {
      type: 'Start'
      arguments: readonly string[]
      environment: readonly string[]
      cwd: string
      user: string
      stdin: number
      columns?: number
      rows?: number
    }
  | { type: 'Attach'; process: number; channel: number }
  | { type: 'Signal'; signal: number }
  | { type: 'Terminate'; graceMs: number }
  | { type: 'WriteFile'; path: string; mode?: number; user: string; append: number }
  | { type: 'Quiesce' }
  | { type: 'SetClock'; wallClockNs: bigint }
  | { type: 'Resize'; columns: number; rows: number }
  | { type: 'ReadFile'; path: string; user: string }
  | { type: 'Stat'; path: string; user: string }
  | { type: 'List'; path: string; user: string; depth: number }
  | { type: 'MakeDirectory'; path: string; user: string }
  | { type: 'Rename'; from: string; to: string; user: string }
  | { type: 'Remove'; path: string; user: string; recursive: number }
  | { type: 'Watch'; path: string; user: string; recursive: number }
  | { type: 'ReadTree'; path: string; user: string }
  | { type: 'WriteTree'; path: string; user: string }
  | ({ type: 'Node' } & FileFacts)
  | { type: 'Connect'; port: number }
  | { type: 'AwaitPort'; port: number }
  | { type: 'Measure' }
  | { type: 'Limit'; memoryBytes?: number; diskBytes?: number; processes?: number; cpuPercent?: number }

export type GuestMessage =
  | { type: 'Welcome'; generation: number; agentVersion: string; kernelRelease: string; bootId: string }
  | { type: 'Started'; pid: number }
  | { type: 'Exited'; exitCode: number; signal: number; oomKilled: number }
  | { type: 'Signalled'; delivered: number }
  | { type: 'Written'; sizeBytes: number }
  | { type: 'Quiesced'; processes: number }
  | { type: 'ClockSet' }
  | { type: 'Reading'; sizeBytes: number }
  | { type: 'Done' }
  | { type: 'Changed'; change: number; path: string; from?: string }
  | ({ type: 'Entry'; owner: string } & FileFacts)
  | {
      type: 'Measured'
      cpuUs: number
      memoryBytes: number
      memoryMaxBytes: number
      diskBytes: number
      diskMaxBytes: number
      processes: number
      oomKills: number
    }
  | { type: 'Failed'; errno: string; step: string; message: string }

export type Message = HostMessage | GuestMessage
