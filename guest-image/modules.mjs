// Copies the wanted kernel modules and all they depend on, and writes the order to load them in, each with `rootfs=NAME` behind it if only for that root:
// node modules.mjs KERNEL_MODULES_DIR WANTED_LIST OUTPUT_DIR. Prints the names in load order.
// What a module needs is in its own .modinfo section, so neither depmod nor modinfo has to be there.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

const DECOMPRESS = { '.ko': null, '.ko.xz': ['xz', '-dc'], '.ko.zst': ['zstd', '-dc'], '.ko.gz': ['gzip', '-dc'] }

/** The kernel takes `-` and `_` in a module's name as the same. */
const canonical = (name) => name.replaceAll('-', '_')

/** The strings `key=value` of a NUL-separated block, as pairs. */
function pairs(block) {
  const strings = block.toString('latin1').split('\0').filter(Boolean)
  return strings.map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)])
}

/** The .modinfo section of a 64-bit little-endian ELF file. */
function modinfo(elf) {
  const table = Number(elf.readBigUInt64LE(0x28))
  const entrySize = elf.readUInt16LE(0x3a)
  const section = (index) => {
    const at = table + index * entrySize
    const offset = Number(elf.readBigUInt64LE(at + 0x18))
    return { name: elf.readUInt32LE(at), bytes: elf.subarray(offset, offset + Number(elf.readBigUInt64LE(at + 0x20))) }
  }
  const names = section(elf.readUInt16LE(0x3e)).bytes
  for (let index = 0; index < elf.readUInt16LE(0x3c); index++) {
    const { name, bytes } = section(index)
    if (names.toString('latin1', name, names.indexOf(0, name)) === '.modinfo') return pairs(bytes)
  }
  throw new Error('no .modinfo section')
}

/** Every name and alias the kernel has built in: the path list, and `module.alias=name` lines. */
function builtInNames(kernelDir) {
  const paths = readFileSync(join(kernelDir, 'modules.builtin'), 'utf8').split('\n').filter(Boolean)
  const names = new Set(paths.map((path) => canonical(basename(path, '.ko'))))
  const infoFile = join(kernelDir, 'modules.builtin.modinfo')
  for (const [key, value] of existsSync(infoFile) ? pairs(readFileSync(infoFile)) : []) {
    if (key.endsWith('.alias')) names.add(canonical(value))
  }
  return names
}

function moduleFiles(kernelDir) {
  const files = new Map()
  for (const entry of readdirSync(join(kernelDir, 'kernel'), { recursive: true })) {
    const match = /^(.*?)(\.ko(?:\.\w+)?)$/.exec(basename(entry))
    if (match) files.set(canonical(match[1]), { path: join(kernelDir, 'kernel', entry), name: match[1], suffix: match[2] })
  }
  return files
}

function contentOf({ path, suffix }) {
  const command = DECOMPRESS[suffix]
  if (command === undefined) throw new Error(`modules.mjs: no way to read ${path}`)
  if (command === null) return readFileSync(path)
  return execFileSync(command[0], [...command.slice(1), path], { maxBuffer: 64 * 1024 * 1024 })
}

const [kernelDir, wantedFile, outputDir] = process.argv.slice(2)
const builtIn = builtInNames(kernelDir)
const files = moduleFiles(kernelDir)
const order = []
const taken = new Map()

/** Depth first: what a module needs is loaded before it, and where it is. What is needed under two conditions has none. */
function take(name, neededBy, condition) {
  const key = canonical(name)
  if (builtIn.has(key)) return
  const before = taken.get(key)
  if (before !== undefined) {
    if (before.condition !== condition) before.condition = ''
    return
  }
  const file = files.get(key)
  if (!file) throw new Error(`modules.mjs: this kernel has no module ${name}, needed by ${neededBy}`)
  const content = contentOf(file)
  const entry = { file: `${file.name}.ko`, condition }
  taken.set(key, entry)
  const list = (value) => value.split(/[\s,]+/).filter(Boolean)
  for (const [field, value] of modinfo(content)) {
    if (field === 'depends') for (const dependency of list(value)) take(dependency, name, condition)
    // A soft dependency is a wish: a name this kernel does not have is left out.
    if (field === 'softdep' && value.startsWith('pre:')) {
      for (const wish of list(value.slice(4).split('post:')[0])) if (files.has(canonical(wish))) take(wish, name, condition)
    }
  }
  order.push(entry)
  writeFileSync(join(outputDir, entry.file), content)
}

mkdirSync(outputDir, { recursive: true })
const wanted = readFileSync(wantedFile, 'utf8')
  .split('\n')
  .map((line) => line.replace(/#.*/, '').trim())
for (const line of wanted.filter(Boolean)) {
  const [name, only] = line.split(/\s+/)
  take(name, 'the list of wanted modules', only === 'rootfs' ? ` rootfs=${name}` : '')
}
writeFileSync(join(outputDir, 'order'), order.map(({ file, condition }) => `${file}${condition}\n`).join(''))
process.stdout.write(`${order.map(({ file }) => file).join(' ')}\n`)
