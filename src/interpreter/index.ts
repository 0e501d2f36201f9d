export { AnswerDecoder, type Representation, type RunEnd } from './answer.ts'
export { probeInterpreter } from './probe.ts'
export { encodeRequest } from './request.ts'
