export { AnswerDecoder, type RunEnd } from './answer.ts'
export { connectInterpreter, probeInterpreter } from './probe.ts'
export { encodeRequest } from './request.ts'
