import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ImageTree } from '../../../src/image/layers/apply.ts'
import { defaultLayerLimits, type LayerLimits } from '../../../src/image/layers/limits.ts'
import type { Directory } from '../../../src/image/layers/tree.ts'
import { Refusal, TarReader } from '../../../src/image/tar/index.ts'
import { directory, file, link, symlink, type TarPart, tarOf } from '../../support/tar.ts'

function applied(layers: readonly (readonly TarPart[])[], limits: Partial<LayerLimits> = {}): ImageTree {
  const tree = new ImageTree({ ...defaultLayerLimits, ...limits })
  for (const [index, parts] of layers.entries()) {
    let ordinal = 0
    for (const event of new TarReader().push(tarOf(...parts)))
      if (event.type === 'entry') tree.apply(index, ordinal++, event.entry)
  }
  return tree
}

/** Paths and what is there: a file as the layer and the number of its entry, with `=` and its name where it has several. */
function shown(directory: Directory, path = '', into: Record<string, string> = {}): Record<string, string> {
  for (const [name, child] of directory.children) {
    const at = `${path}${name}`
    if (child.kind === 'directory') {
      into[at] = `directory ${child.said.mode.toString(8)}`
      shown(child, `${at}/`, into)
    } else {
      const leaf = child.kind === 'link' ? child.to : child
      into[at] = leaf.kind === 'symlink' ? `-> ${leaf.target}` : `${leaf.kind} ${leaf.layer}.${leaf.ordinal}`
    }
  }
  return into
}

const made = (...layers: readonly (readonly TarPart[])[]) => shown(applied(layers).root)

describe('applying layers', () => {
  it('takes names as below the root, however they are written', () => {
    expect(made([file('./a'), file('/b'), file('c//d/./e'), directory('f/'), directory('./', { mode: 0o700 })])).toEqual({
      a: 'file 0.0',
      b: 'file 0.1',
      c: 'directory 755',
      'c/d': 'directory 755',
      'c/d/e': 'file 0.2',
      f: 'directory 755',
    })
    expect(applied([[directory('./', { mode: 0o700, uid: 5 })]]).root.said).toMatchObject({ mode: 0o700, uid: 5 })
  })

  it('hides a file, a tree, and all that a directory had', () => {
    const base = [file('a'), file('b/c'), file('b/d/e'), file('f/g'), file('f/h/i')]
    expect(made(base, [file('.wh.a'), file('b/.wh.d'), file('f/.wh..wh..opq'), file('f/new')])).toEqual({
      b: 'directory 755',
      'b/c': 'file 0.1',
      f: 'directory 755',
      'f/new': 'file 1.3',
    })
    expect(made(base, [file('.wh.missing'), file('missing/.wh.a'), file('a/.wh.b'), file('.wh..wh..opq')])).toEqual({})
  })

  it('hides nothing of the same layer, whichever comes first', () => {
    const whiteouts = [file('d/.wh..wh..opq'), file('.wh.a')]
    const entries = [directory('d', { mode: 0o711 }), file('d/new'), link('d/again', 'l'), file('a')]
    const base = [directory('d'), file('d/old'), file('a'), file('l')]
    const expected = { d: 'directory 711', 'd/new': 'file 1', 'd/again': 'file 0', a: 'file 1', l: 'file 0' }
    const withoutOrdinals = (found: Record<string, string>) =>
      Object.fromEntries(Object.entries(found).map(([path, what]) => [path, what.replace(/\.\d+$/, '')]))
    expect(withoutOrdinals(made(base, [...whiteouts, ...entries]))).toEqual(expected)
    expect(withoutOrdinals(made(base, [...entries, ...whiteouts]))).toEqual(expected)
  })

  it('gives a hidden directory that the same layer leads through the attributes of a new one', () => {
    const base = [directory('d', { mode: 0o700 }), file('d/old')]
    expect(made(base, [file('.wh.d'), file('d/new')])).toEqual({ d: 'directory 755', 'd/new': 'file 1.1' })
    expect(made(base, [file('d/new'), file('.wh.d')])).toEqual({ d: 'directory 755', 'd/new': 'file 1.0' })
  })

  it('passes over what the first engine kept for itself', () => {
    expect(made([file('a'), file('.wh..wh.aufs'), directory('.wh..wh.plnk'), file('.wh..wh.plnk/1.2')])).toEqual({
      a: 'file 0.0',
    })
  })

  it('puts a directory in place of a file, a file in place of a directory, and one directory over another', () => {
    expect(made([file('a'), file('b/c'), file('d/e')], [directory('a'), file('b'), directory('d', { mode: 0o700 })])).toEqual({
      a: 'directory 755',
      b: 'file 1.1',
      d: 'directory 700',
      'd/e': 'file 0.2',
    })
  })

  it('follows symbolic links on the way as inside the image, and never out of it', () => {
    const base = [
      directory('usr/lib'),
      symlink('lib', 'usr/lib'),
      symlink('out', '../../../etc'),
      symlink('abs', '/usr/./lib//'),
      symlink('dangling', 'nowhere/x'),
    ]
    expect(
      made(base, [file('lib/a'), file('out/b'), file('abs/c'), file('dangling/d'), symlink('lib/e', '../../outside')]),
    ).toMatchObject({
      lib: '-> usr/lib',
      'usr/lib/a': 'file 1.0',
      'etc/b': 'file 1.1',
      'usr/lib/c': 'file 1.2',
      'nowhere/x/d': 'file 1.3',
      'usr/lib/e': '-> ../../outside',
    })
    expect(made(base, [file('lib')])).toMatchObject({ lib: 'file 1.0' })
    expect(made(base, [directory('lib')])).toMatchObject({ lib: 'directory 755', 'usr/lib': 'directory 755' })
  })

  it('links to what is there, also in a lower layer, and keeps it when the first name goes', () => {
    const base = [
      file('a'),
      link('b', '/a'),
      symlink('s', 'nowhere'),
      link('t', 's'),
      directory('d'),
      symlink('to-d', 'd'),
      file('d/x'),
    ]
    expect(made(base, [link('c', './b'), file('.wh.a'), link('y', 'to-d/x')], [file('a')])).toMatchObject({
      a: 'file 2.0',
      b: 'file 0.0',
      c: 'file 0.0',
      t: '-> nowhere',
      y: 'file 0.6',
    })
  })

  it('lets a directory be said twice, and the last word count', () => {
    expect(made([directory('d'), file('d/a'), directory('d', { mode: 0o700 })])).toEqual({
      d: 'directory 700',
      'd/a': 'file 0.1',
    })
  })

  it('keeps times that the disk can hold', () => {
    const times = [file('a', '', { mtime: -5 }), file('b', '', { mtime: 2 ** 33 - 1 }), file('c', '', { mtime: 7 })]
    const { root } = applied([times])
    expect([...root.children.values()].map((node) => 'said' in node && node.said.mtimeSeconds)).toEqual([0, 2 ** 32 - 1, 7])
  })

  const loop = [symlink('x', 'y'), symlink('y', 'x')]
  const chain = Array.from({ length: 41 }, (_, index) => symlink(`l${index}`, `l${index + 1}`))
  const hostile: Record<string, [TarPart[][], RegExp, Partial<LayerLimits>?]> = {
    'a name that leads upwards': [[[file('../etc/passwd')]], /'\.\.' in its name/],
    'a name that leads upwards in its middle': [[[file('a/../../b')]], /'\.\.' in its name/],
    'a hard link out': [[[link('a', '../../etc/shadow')]], /'\.\.' in its target/],
    'a hard link to nothing': [[[link('a', '/etc/shadow')]], /not in the image/],
    'a hard link through nothing': [[[link('a', 'b/c')]], /not in the image/],
    'a hard link to a directory': [[[directory('d'), link('a', 'd')]], /hard link to a directory/],
    'a hard link to the root': [[[link('a', '/')]], /hard link to a directory/],
    'a root that is a file': [[[file('./')]], /is the root/],
    'an empty name': [[[file('')]], /is the root/],
    'a file below a file': [[[file('a'), file('a/b')]], /no directory/],
    'a file below a device': [[[{ name: 'a', type: '3' }], [file('a/b')]], /no directory/],
    'a file twice': [[[file('a'), file('a')]], /twice/],
    'a file twice by two paths': [
      [
        [directory('d'), symlink('s', 'd')],
        [file('d/a'), file('s/a')],
      ],
      /twice/,
    ],
    'a file and a directory': [[[file('a'), directory('a')]], /twice/],
    'a directory and a link': [[[file('a/b'), symlink('a', 'c')]], /twice/],
    'a file in place of a directory that it has filled': [[[directory('a')], [file('a/b'), file('a')]], /twice/],
    'symbolic links in a circle': [[loop, [file('x/a')]], /40 symbolic links/],
    'too many symbolic links': [[[...chain, file('l0/a')]], /40 symbolic links/],
    'an endless name': [[[file('', '', { pax: { path: 'x/'.repeat(50_000) } })]], /path of 100000 bytes/],
    'a name of 256 bytes': [[[file('', '', { pax: { path: 'x'.repeat(256) } })]], /name of 256 bytes/],
    'a path that links make too long': [
      [
        [symlink('s', '', { pax: { linkpath: `${'y'.repeat(99)}/`.repeat(20) } })],
        [file('', '', { pax: { path: `s/${`${'z'.repeat(99)}/`.repeat(30)}a` } })],
      ],
      /leads to a path of/,
    ],
    'a path that is too deep': [[[file('', '', { pax: { path: `${'x/'.repeat(600)}a` } })]], /deeper than 512/],
    'an empty symbolic link': [[[symlink('a', '')]], /symbolic link to a path of 0 bytes/],
    'an endless symbolic link': [
      [[symlink('a', '', { pax: { linkpath: 'x'.repeat(5_000) } })]],
      /symbolic link to a path of 5000/,
    ],
    'a name below a hidden one': [[[file('.wh.a/b')]], /begins with '\.wh\.'/],
    'hiding no name': [[[file('.wh.')]], /hides no name/],
    'hiding what is above': [[[file('d/.wh...')]], /hides no name/],
    'a device that there is not': [[[{ name: 'a', type: '3', major: 5_000 }]], /device 5000:0/],
    'an owner beyond 32 bits': [[[file('a', '', { uid: 2 ** 32 })]], /belongs to 4294967296/],
    'too many owners': [[Array.from({ length: 70_000 }, (_, index) => directory('d', { uid: index }))], /different users/],
    'too many entries': [[[file('a'), file('b'), file('c')]], /one too many: an image may have 2/, { entriesMax: 2 }],
    'too many bytes of names': [[[file('aaa'), file('bbb')]], /more than 5 bytes/, { textBytesMax: 5 }],
    'too large a file': [[[file('a', 'xx')]], /1 are the most/, { fileBytesMax: 1 }],
    'paths that lead through too much': [[[file('a/b/c'), file('a/b/d')]], /more than 3 directories/, { stepsMax: 3 }],
  }
  for (const [what, [layers, rule, limits]] of Object.entries(hostile)) {
    it(`refuses ${what}`, () => {
      expect(() => applied(layers, limits)).toThrow(rule)
      expect(() => applied(layers, limits)).toThrow(Refusal)
    })
  }

  it('hides the same trees over and over in no time', () => {
    const names = Array.from({ length: 2_000 }, (_, index) => file(`d/e/${index}`))
    const again = Array.from({ length: 4_000 }, () => [file('d/.wh..wh..opq'), file('d/.wh.e'), file('.wh.d')]).flat()
    expect(Object.keys(made([file('d/e/old')], [...names, ...again]))).toHaveLength(2_002)
  })
})

/** The rules of the specification, as plainly as they can be said: paths in a map, whiteouts first. */
class Model {
  paths = new Map<string, string>()

  layer(index: number, steps: readonly Step[]): void {
    for (const { path, does } of steps) {
      if (does === 'hide') this.#remove(path)
      if (does === 'clear') this.#below(path).forEach((one) => void this.paths.delete(one))
    }
    for (const [ordinal, { path, does }] of steps.entries()) {
      if (does !== 'file' && does !== 'directory') continue
      for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1))
        if (!this.paths.has(path.slice(0, at))) this.paths.set(path.slice(0, at), 'directory 755')
      if (does === 'file') this.#below(path).forEach((one) => void this.paths.delete(one))
      this.paths.set(path, does === 'file' ? `file ${index}.${ordinal}` : 'directory 711')
    }
  }

  #remove(path: string): void {
    this.#below(path).forEach((one) => void this.paths.delete(one))
    this.paths.delete(path)
  }

  #below(path: string): string[] {
    return [...this.paths.keys()].filter((one) => one.startsWith(`${path}/`))
  }
}

interface Step {
  path: string
  does: 'file' | 'directory' | 'hide' | 'clear'
}

const anyPath = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
const anyStep: fc.Arbitrary<Step> = fc.record({ path: anyPath, does: fc.constantFrom('file', 'directory', 'hide', 'clear') })

function partOf({ path, does }: Step): TarPart {
  if (does === 'clear') return file(`${path}/.wh..wh..opq`)
  if (does === 'hide') return file(path.replace(/[^/]*$/, '.wh.$&'))
  return does === 'file' ? file(path) : directory(path, { mode: 0o711 })
}

describe('any sequence of layers', () => {
  it('makes what the rules say, or is refused', () => {
    let whole = 0
    fc.assert(
      fc.property(fc.array(fc.array(anyStep, { maxLength: 8 }), { maxLength: 5 }), (layers) => {
        const model = new Model()
        let found: Record<string, string>
        try {
          found = made(...layers.map((steps) => steps.map(partOf)))
        } catch (error) {
          expect(error).toBeInstanceOf(Refusal)
          return
        }
        whole++
        for (const [index, steps] of layers.entries()) model.layer(index, steps)
        expect(found).toEqual(Object.fromEntries(model.paths))
      }),
      { numRuns: 3_000 },
    )
    expect(whole).toBeGreaterThan(300)
  })
})
