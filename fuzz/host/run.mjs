// The host's run: libFuzzer by Jazzer.js where its binary loads, and a small loop guided by coverage elsewhere.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { repository, run, verdict, workplace } from '../workplace.mjs'
import { instrumenting } from './instrument.mjs'

/** Longer inputs show nothing that shorter ones do not: limits are tested with their numbers. */
const inputBytesMax = 4_096

/** undefined when it loads. */
async function whyNoJazzer() {
  try {
    await import('@jazzer.js/core')
    return undefined
  } catch (error) {
    return error.message.split('\n')[0]
  }
}

async function bundle(outfile, plugins) {
  const entryPoints = [join(repository, 'fuzz/host/target.ts')]
  await build({
    entryPoints,
    outfile,
    plugins,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    logLevel: 'warning',
  })
}

async function byJazzer(seconds, { build: directory, seeds, corpus, found }) {
  const outfile = join(directory, 'plain.cjs')
  await bundle(outfile, [])
  const jazzer = join(repository, 'node_modules/@jazzer.js/core/dist/cli.js')
  const limits = [`-max_total_time=${seconds}`, `-max_len=${inputBytesMax}`, '-timeout=10', '-rss_limit_mb=2048']
  const inputs = ['-i', 'plain.cjs', corpus, seeds]
  return run(process.execPath, [jazzer, outfile, ...inputs, '--', ...limits, `-artifact_prefix=${found}/`])
}

async function byLoop(seconds, { build: directory, ...places }) {
  const outfile = join(directory, 'instrumented.cjs')
  const edges = { count: 0 }
  await bundle(outfile, [instrumenting(edges)])
  const settings = { ...places, outfile, current: join(directory, 'current'), seconds, inputBytesMax, edges: edges.count }
  // An input on which the host never comes to an end is a finding as well.
  const timeout = (seconds + 60) * 1_000
  const exitCode = await run(process.execPath, [join(repository, 'fuzz/host/loop.mjs'), JSON.stringify(settings)], { timeout })
  if (exitCode > 1) console.log(`The last input is in ${settings.current}.`)
  return exitCode
}

export async function fuzzHost(seconds) {
  const places = workplace('host')
  const before = new Set(readdirSync(places.found))
  await run(process.execPath, ['--import', './test/support/typescript-loader.mjs', 'fuzz/host/seeds.ts', places.seeds])
  const missing = await whyNoJazzer()
  if (missing !== undefined) console.log(`Jazzer.js does not load here (${missing}): fuzzing with a loop of our own.`)
  return verdict(before, places.found, await (missing === undefined ? byJazzer : byLoop)(seconds, places))
}
