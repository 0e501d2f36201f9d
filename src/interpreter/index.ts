export { AnswerDecoder, type RunEnd } from './answer.ts'
export { probeInterpreter } from './probe.ts'
export { encodeRequest } from './request.ts'
