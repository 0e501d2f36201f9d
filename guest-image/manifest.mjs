// Writes manifest.json, what an image is and is made from: node manifest.mjs IMAGE_DIR, facts in the environment of `build`.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const imageDir = process.argv[2]
const env = process.env

function digestOf(path) {
  const bytes = readFileSync(path)
  return { sha256: createHash('sha256').update(bytes).digest('hex'), sizeBytes: bytes.length }
}

/** What the agent says it speaks: the one constant GENERATION in its sources. */
function protocolGeneration(agentDir) {
  const sources = readdirSync(join(agentDir, 'src'), { recursive: true }).filter((name) => name.endsWith('.rs'))
  for (const name of sources.sort()) {
    const found = /const GENERATION: \w+ = (\d+);/.exec(readFileSync(join(agentDir, 'src', name), 'utf8'))
    if (found) return Number(found[1])
  }
  throw new Error('manifest.mjs: the agent has no constant GENERATION, the generation of the protocol it speaks')
}

const file = (name) => ({ file: name, ...digestOf(join(imageDir, name)) })
const inputs = env.inputs
  .trim()
  .split('\n')
  .map((line) => line.split(/ (.*)/s).slice(0, 2))
const agentVersion = /^version\s*=\s*"(.*)"/m.exec(readFileSync(join(env.agent_dir, 'Cargo.toml'), 'utf8'))[1]

const manifest = {
  formatVersion: 1,
  key: env.key,
  sourceKey: env.source_key,
  arch: env.arch,
  kernelFlavour: env.flavour,
  kernel: {
    ...file('vmlinuz'),
    release: env.kernel_release,
    package: env.kernel_package,
    version: env.kernel_version,
    // What the machine must be like for it: whether its devices are described by ACPI, or on the kernel's command line.
    acpi: env.kernel_acpi === 'true',
  },
  initramfs: file('initramfs.cpio'),
  roots: { base: { ...file('base.erofs'), format: 'erofs' } },
  agent: {
    version: agentVersion,
    protocolGeneration: protocolGeneration(env.agent_dir),
    ...digestOf(env.agent_binary),
    rustc: env.rustc_version,
  },
  kernelArguments: env.kernel_arguments.split(' '),
  packages: Object.fromEntries(inputs),
}
writeFileSync(join(imageDir, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`)
