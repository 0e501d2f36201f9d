/** The conversation with the guest agent: see protocol/protocol.md, chapter 3. */

export { encodeMessage } from './codec.ts'
export {
  AgentConnection,
  type Identity,
  protocolGeneration,
} from './connection.ts'
export type { OpenFile, OpenWatch } from './files/files.ts'
export type { Entry as GuestEntry, TreeEntry, TreeNode } from './files/tree.ts'
export type { Limits, Measured } from './limits.ts'
export { type Direction, type GuestMessage, type HostMessage, type Message, messageBytesMax } from './messages.ts'
export { processesAtOnceMax } from './places.ts'
export type { GuestProcess, ProcessSpec } from './process.ts'
export { MessageReader, readMessage } from './reader.ts'
export { argumentBytesMax } from './start.ts'
