// Fuzzes the host or the agent for a while: npm run fuzz -- --target host|agent [--seconds 60]
// Exit code: 0 nothing was found, 1 something was (its input is named), 2 wrong usage, 3 skipped, and why.
import { parseArgs } from 'node:util'
import { fuzzAgent } from './agent/run.mjs'
import { fuzzHost } from './host/run.mjs'

const usage = 'npm run fuzz -- --target host|agent [--seconds 60]'
const targets = { host: fuzzHost, agent: fuzzAgent }

function options() {
  try {
    const { values } = parseArgs({ options: { target: { type: 'string' }, seconds: { type: 'string', default: '60' } } })
    const seconds = Number(values.seconds)
    if (Object.hasOwn(targets, values.target ?? '') && seconds >= 1) return { fuzz: targets[values.target], seconds }
  } catch {
    // Said below.
  }
  return undefined
}

const chosen = options()
if (chosen === undefined) {
  console.error(usage)
  process.exitCode = 2
} else {
  const { outcome, detail } = await chosen.fuzz(chosen.seconds)
  console.log(`${outcome}: ${detail}`)
  process.exitCode = { passed: 0, found: 1, skipped: 3 }[outcome]
}
