// The template: Python with a module of our own and a data set that is prepared, read and grouped before the snapshot is taken.
//
//   node dist/cli.js template build sales --file examples/data-science/template.mjs --verbose
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { runtimes } from 'warmcell'

const pathOf = (name) => fileURLToPath(new URL(name, import.meta.url))

/** The reference is all that the script prints; what it does goes to stderr. */
function debianImage(preset) {
  const stdio = ['ignore', 'pipe', 'inherit']
  return execFileSync('bash', [pathOf('../../scripts/debian-image'), preset], { encoding: 'utf8', stdio }).trim()
}

/** Commands that bring the files of a directory here into the guest. Base64 holds nothing that a shell would read. */
function installing(name, guestDirectory) {
  return readdirSync(pathOf(name))
    .filter((file) => file.endsWith('.py'))
    .map((file) => {
      const text = readFileSync(pathOf(`${name}/${file}`)).toString('base64')
      return `mkdir -p ${guestDirectory}/${name} && echo ${text} | base64 -d > ${guestDirectory}/${name}/${file}`
    })
}

/** A function: what it takes to make the image is done when the template is wanted. */
export default function sales() {
  return {
    ...runtimes.python,
    root: { oci: process.env.IMAGE ?? debianImage('python-data') },
    env: { PYTHONPATH: '/srv/lib' },
    resources: { memoryMib: 384 },
    setup: [...runtimes.python.setup, ...installing('sales', '/srv/lib'), 'python3 /srv/lib/sales/prepare.py /srv/sales.csv'],
    // Our module too is imported before the snapshot, and what it has read and reckoned is in memory.
    start: [...runtimes.python.start, 'pandas', 'sales'],
    warm: 2,
  }
}
