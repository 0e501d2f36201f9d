export { AnswerDecoder, type Representation, type RunEnd, violation } from './answer.ts'
export { probeInterpreter } from './probe.ts'
export { encodeRequest } from './request.ts'
