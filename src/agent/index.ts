/** The conversation with the guest agent: see protocol/protocol.md, chapter 3. */

export {
  AgentConnection,
  filesAtOnceMax,
  type Identity,
  processesAtOnceMax,
  protocolGeneration,
  type Welcome,
} from './connection.ts'
export {
  type Direction,
  decodeMessage,
  encodeMessage,
  type GuestMessage,
  type HostMessage,
  type Message,
  messageBytesMax,
} from './messages.ts'
export type { GuestExit, GuestProcess, ProcessSpec } from './process.ts'
export { MessageReader, readMessage } from './reader.ts'
export { argumentBytesMax } from './start.ts'
