// The agent's run: its library, built with counters at every branch, under the libFuzzer that comes with Debian's clang (libclang-rt-*-dev).
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { repository, run, verdict, workplace } from '../workplace.mjs'

/** Longer inputs show nothing that shorter ones do not: limits are tested with their numbers. */
const inputBytesMax = 4_096

const architecture = { x64: 'x86_64', arm64: 'aarch64' }[process.arch]

/** What `cargo fuzz` asks of a compiler, which needs no nightly one: https://github.com/rust-fuzz/cargo-fuzz */
const coverage = [
  '-Cpasses=sancov-module',
  '-Cllvm-args=-sanitizer-coverage-level=4',
  '-Cllvm-args=-sanitizer-coverage-trace-compares',
  '-Cllvm-args=-sanitizer-coverage-inline-8bit-counters',
  '-Cllvm-args=-sanitizer-coverage-pc-table',
]

const listed = (directory) => (existsSync(directory) ? readdirSync(directory).map((name) => join(directory, name)) : [])

/** libFuzzer with its main, of the newest clang that is here. */
function findRuntime() {
  const rooms = [
    ...listed('/usr/lib')
      .filter((path) => /\/llvm-\d+$/.test(path))
      .map((path) => join(path, 'lib/clang')),
    '/usr/lib/clang',
  ]
  const archives = rooms.flatMap(listed).map((path) => join(path, 'lib/linux', `libclang_rt.fuzzer-${architecture}.a`))
  return archives
    .filter(existsSync)
    .sort(new Intl.Collator('en', { numeric: true }).compare)
    .at(-1)
}

/** The one on the PATH, or else Debian's: a manager of toolchains without a toolchain is on many PATHs. */
function findCargo() {
  const works = (path) => spawnSync(path, ['--version'], { cwd: join(repository, 'fuzz/agent') }).status === 0
  return ['cargo', '/usr/bin/cargo'].find(works)
}

export async function fuzzAgent(seconds) {
  const { build, seeds, corpus, found } = workplace('agent')
  const [runtime, cargo] = [findRuntime(), findCargo()]
  if (process.platform !== 'linux' || architecture === undefined)
    return {
      outcome: 'skipped',
      detail: `the agent is Linux's, on x86_64 or aarch64, and this is ${process.platform} on ${process.arch}`,
    }
  if (cargo === undefined) return { outcome: 'skipped', detail: 'there is no Rust here: apt-get install cargo' }
  if (runtime === undefined)
    return {
      outcome: 'skipped',
      detail: "libFuzzer is not here: apt-get install g++ and Debian's libclang-rt-14-dev, or a newer one",
    }
  const before = new Set(readdirSync(found))
  await run(process.execPath, ['--import', './test/support/typescript-loader.mjs', 'fuzz/agent/seeds.ts', seeds])
  const triple = `${architecture}-unknown-linux-gnu`
  const flags = [...coverage, `-Clink-arg=${runtime}`, '-Clink-arg=-lstdc++', '-Clink-arg=-lm', '-Clink-arg=-lc'].join(' ')
  const built = await run(cargo, ['build', '--release', '--offline', '--locked', '--quiet', '--target', triple], {
    cwd: join(repository, 'fuzz/agent'),
    env: { ...process.env, CARGO_TARGET_DIR: build, RUSTFLAGS: flags },
  })
  if (built !== 0) return { outcome: 'found', detail: 'the agent does not build for fuzzing; the output above says why' }
  const program = join(build, triple, 'release/warmcell-agent-fuzz')
  const limits = [
    `-max_total_time=${seconds}`,
    `-max_len=${inputBytesMax}`,
    '-timeout=10',
    '-rss_limit_mb=1024',
    '-print_final_stats=1',
  ]
  return verdict(before, found, await run(program, [...limits, `-artifact_prefix=${found}/`, corpus, seeds]))
}
