/** Many streams on one pipe: see protocol/protocol.md, chapter 2. */

export {
  decodeHeader,
  encodeHeader,
  FrameDecoder,
  FrameFlag,
  type FrameHeader,
  type FrameSink,
  FrameType,
  headerBytes,
  violation,
} from './frame.ts'
export { MuxSession, type MuxSessionOptions, openStreamsMax } from './session.ts'
export { MuxStream } from './stream.ts'
export { frameMsMax } from './watch.ts'
export { frameBytesMax, windowBytes } from './window.ts'
