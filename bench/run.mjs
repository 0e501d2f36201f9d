// The entry of the suite: what was asked for on the command line, done, and reported.
//
//   npm run bench -- --help
import { spawnSync } from 'node:child_process'
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { parseOptions, usage } from './options.mjs'
import { runInView } from './view.mjs'

const repository = resolve(import.meta.dirname, '..')
const ids = ['T1', 'T2', 'T3', 'T4', 'T5', 'T6', 'T7', 'T8', 'T9', 'T10', 'T11', 'T12', 'T13', 'T14']
const argv = process.argv.slice(2)

try {
  process.exitCode = await main(parseOptions(argv, ids))
} catch (error) {
  console.error(`error: ${error.message}`)
  process.exitCode = 1
}

async function main(options) {
  if (options.help) {
    process.stdout.write(usage)
    return 0
  }
  if (options.install) {
    const { installContenders } = await import('./install.mjs')
    installContenders()
  }
  const code = await runInView([import.meta.filename, ...argv.filter((word) => word !== '--install')])
  if (code !== undefined) return code
  await buildIfStale()
  process.env.WARMCELL_ISOLATION ??= 'emulated'
  console.error(`isolation: ${process.env.WARMCELL_ISOLATION} (WARMCELL_ISOLATION says it)`)
  // The suite imports the built package, so not before it is built.
  const { runSuite } = await import('./suite.mjs')
  const result = await runSuite(options, (line) => console.error(line))
  await report(result, options)
  return failuresOf(result) === 0 && result.leftBehind.length === 0 ? 0 : 1
}

/** Figures of yesterday's build would mislead. */
async function buildIfStale() {
  const built = await stat(join(repository, 'dist', 'index.js')).catch(() => undefined)
  const sources = await readdir(join(repository, 'src'), { recursive: true })
  const changed = await Promise.all(sources.map(async (path) => (await stat(join(repository, 'src', path))).mtimeMs))
  if (built && Math.max(...changed) <= built.mtimeMs) return
  console.error('building dist: it is older than src')
  const { status, stderr } = spawnSync('npm', ['run', 'build', '--silent'], { cwd: repository, encoding: 'utf8' })
  if (status !== 0) throw new Error(`npm run build failed: ${stderr}`)
}

async function report(result, options) {
  const { toMarkdown } = await import('./report/markdown.mjs')
  const { toJson } = await import('./report/json.mjs')
  const { toSvg } = await import('./report/svg.mjs')
  const hostDirectory = resolve(options.out ?? join(repository, 'bench', 'results'))
  const markdown = toMarkdown(result)
  const files = [
    [options.json ?? join(hostDirectory, 'latest.json'), toJson(result)],
    [options.markdown ?? join(hostDirectory, 'latest.md'), markdown],
    [options.svg ?? join(hostDirectory, 'latest.svg'), toSvg(result)],
  ]
  console.log(markdown)
  for (const [hostPath, text] of files) {
    if (text === undefined) continue
    await mkdir(dirname(resolve(hostPath)), { recursive: true })
    await writeFile(hostPath, text)
    console.error(`written: ${hostPath}`)
  }
}

function failuresOf({ rows }) {
  return rows.reduce(
    (sum, { status, series }) => sum + (status === 'measured' ? 0 : 1) + series.reduce((all, { failures }) => all + failures, 0),
    0,
  )
}
