/** Many streams on one pipe: see protocol/protocol.md, chapter 2. */

export {
  decodeHeader,
  encodeHeader,
  FrameDecoder,
  FrameFlag,
  type FrameHeader,
  FrameType,
  headerBytes,
  violation,
} from './frame.ts'
export { ReceiveQueue } from './queue.ts'
export { MuxSession, openStreamsMax } from './session.ts'
export { MuxStream } from './stream.ts'
export { frameBytesMax, windowBytes } from './window.ts'
