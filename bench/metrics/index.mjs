// The rows of the suite, in the order of their targets.
import { burst } from './burst.mjs'
import { call } from './call.mjs'
import { destroy } from './destroy.mjs'
import { files } from './files.mjs'
import { fromNothing } from './from-nothing.mjs'
import { fromWarm } from './from-warm.mjs'
import { memory } from './memory.mjs'
import { ownCpu } from './own-cpu.mjs'
import { refill } from './refill.mjs'
import { runCode } from './run-code.mjs'
import { tail } from './tail.mjs'
import { templateBoot } from './template-boot.mjs'
import { terminalEcho } from './terminal-echo.mjs'
import { throughput } from './throughput.mjs'

/**
 * @typedef {object} Row
 * @property {string} id
 * @property {string} title
 * @property {string} how What exactly is measured.
 * @property {(context: { plan: object, flavours: import('../warmcell.mjs').Flavour[], contenders: import('../contenders/index.mjs').Contenders }) => Promise<{ series: object[] }>} measure
 *
 * @type {Row[]}
 */
export const rows = [
  fromWarm,
  call,
  fromNothing,
  burst,
  refill,
  memory,
  throughput,
  destroy,
  ownCpu,
  templateBoot,
  tail,
  runCode,
  files,
  terminalEcho,
]
