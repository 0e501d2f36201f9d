// Runs Python as a notebook does: cells share their variables, output comes as it is printed, values and figures come back, errors are data.
//
//   WARMCELL_ISOLATION=emulated node examples/code-interpreter/main.mjs    # leaves figure.png in this directory
//
// The image is made of Debian's packages on the first run; --image REFERENCE names another, --output FILE where the figure goes.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createPool, runtimes } from 'warmcell'
import { cells } from './cells.mjs'

const { values } = parseArgs({ options: { image: { type: 'string' }, output: { type: 'string', default: 'figure.png' } } })

/** The reference is all that the script prints; what it does goes to stderr. */
function debianImage(preset) {
  const script = fileURLToPath(new URL('../../scripts/debian-image', import.meta.url))
  return execFileSync('bash', [script, preset], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim()
}

const pool = await createPool({
  templates: {
    python: {
      ...runtimes.python,
      root: { oci: values.image ?? debianImage('python-data') },
      // Imported before the snapshot is taken: in every clone it is there, and costs nothing.
      start: [...runtimes.python.start, 'matplotlib.pyplot', 'pandas'],
      resources: { memoryMib: 384 },
      warm: 1,
    },
  },
})
try {
  await pool.ready({ template: 'python' })
  const sandbox = await pool.createSandbox({ template: 'python', tenant: 'alice' })
  console.log(`${sandbox.info().origin}, after ${Math.round(sandbox.info().createMs)} ms`)
  for (const [index, { source, ...options }] of cells.entries()) {
    console.log(`\n${options.context ?? 'default'} [${index + 1}] ${source.replaceAll('\n', '\n    ')}`)
    show(await sandbox.runCode(source, { ...options, onStdout: (text) => process.stdout.write(text) }))
  }
} finally {
  await pool.close()
}

/** What a page would do with it: the richest form of each value that it knows. */
function show({ text, results, stderr, error, durationMs }) {
  if (stderr !== '') console.log(stderr.trimEnd())
  if (text !== undefined) console.log(`→ ${text}`)
  for (const { mime, data } of results) {
    if (mime === 'text/html') console.log(`→ a table, ${data.length} characters of HTML`)
    if (mime === 'image/png') {
      writeFileSync(values.output, Buffer.from(data, 'base64'))
      console.log(`→ a figure, in ${values.output}`)
    }
  }
  if (error !== undefined) console.log(`✗ ${error.name}: ${error.message}`)
  console.log(`  ${durationMs.toFixed(1)} ms`)
}
