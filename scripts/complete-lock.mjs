// Adds to package-lock.json the optional packages of other platforms that npm left out of it: node scripts/complete-lock.mjs
// npm leaves them out when it cannot see them (https://github.com/npm/cli/issues/4828), and `npm ci` of npm >= 11.19 refuses a
// lock without them. Run it after every change of the dependencies. Such an entry has no digest: npm fills it in where it can.
import { readFileSync, writeFileSync } from 'node:fs'

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const PROCESSORS = ['arm64', 'x64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'arm']

/** What a package named `…-linux-arm64-musl` runs on; nothing for one whose name does not say. */
function platformOf(name) {
  const words = name.split(/[-/]/)
  const os = SYSTEMS.find((system) => words.includes(system))
  const cpu = PROCESSORS.find((processor) => words.includes(processor))
  if (!os || !cpu) return undefined
  if (words.includes('musl')) return { os: [os], cpu: [cpu], libc: ['musl'] }
  return { os: [os], cpu: [cpu] }
}

/** Whether a package at `from` finds `name`: in its own node_modules or in one above it. */
function finds(packages, from, name) {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    if (packages[at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`]) return true
    if (at === '') return false
  }
}

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'))
const added = []
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const platform = platformOf(name)
    if (!platform || !/^\d/.test(version) || finds(lock.packages, path, name)) continue
    lock.packages[`node_modules/${name}`] = { version, ...(entry.dev && { dev: true }), optional: true, ...platform }
    added.push(`${name}@${version}`)
  }
}
const byPath = ([a], [b]) => (a < b ? -1 : 1)
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(byPath))
if (added.length > 0) writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`)
console.log(`${added.length} packages of other platforms added to package-lock.json`)
