import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Refusal, type TarEntry, TarReader } from '../../../src/image/tar/index.ts'
import { directory, file, link, paxPart, symlink, type TarPart, tarOf, tarPart } from '../../support/tar.ts'

interface Read extends TarEntry {
  content: string
}

function readAll(...pieces: readonly Buffer[]): Read[] {
  const entries: Read[] = []
  const reader = new TarReader()
  for (const piece of pieces) {
    for (const event of reader.push(piece)) {
      if (event.type === 'entry') entries.push({ ...event.entry, content: '' })
      const last = entries.at(-1)
      if (event.type === 'content' && last !== undefined) last.content += event.bytes.toString('latin1')
    }
  }
  reader.end()
  return entries
}

/** Cuts bytes at the given places. */
function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [0, ...at.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end))
}

const long = `${'d'.repeat(120)}/${'n'.repeat(200)}`
const everything: TarPart[] = [
  directory('./'),
  file('a', 'one', { uid: 1_000, gid: 100, mtime: 1_700_000_000, mode: 0o4755 }),
  symlink('b', 'a'),
  link('c', 'a'),
  { name: 'd', type: '3', major: 5, minor: 1 },
  { name: 'e', type: '4', major: 8, minor: 70_000 },
  { name: 'f', type: '6' },
  file('pax', 'x'.repeat(513), {
    pax: {
      path: long,
      uid: '5000000',
      gid: '7',
      mtime: '1700000000.75',
      'SCHILY.xattr.user.a': 'b=\0c\n',
      'SCHILY.xattr.trusted.overlay.opaque': 'y',
    },
  }),
  file('huge owner', '', { uid: 2 ** 31, mtime: -5 }),
]

describe('reading a tar file', () => {
  it('finds what each kind of entry says', () => {
    const found = readAll(tarOf(...everything))
    expect(found.map(({ kind, name, content }) => [kind, name, content.length])).toEqual([
      ['directory', './', 0],
      ['file', 'a', 3],
      ['symlink', 'b', 0],
      ['link', 'c', 0],
      ['character', 'd', 0],
      ['block', 'e', 0],
      ['fifo', 'f', 0],
      ['file', long, 513],
      ['file', 'huge owner', 0],
    ])
    expect(found[1]).toMatchObject({ uid: 1_000, gid: 100, mtimeSeconds: 1_700_000_000, mode: 0o4755, content: 'one' })
    expect(found[2]).toMatchObject({ linkTarget: 'a' })
    expect(found[5]).toMatchObject({ major: 8, minor: 70_000 })
    expect(found[7]).toMatchObject({ uid: 5_000_000, gid: 7, mtimeSeconds: 1_700_000_000 })
    expect([...(found[7]?.attributes ?? [])]).toEqual([['user.a', 'b=\0c\n']])
    expect(found[8]).toMatchObject({ uid: 2 ** 31, mtimeSeconds: -5 })
  })

  it('finds the same however the bytes are cut', () => {
    const bytes = tarOf(...everything)
    const whole = readAll(bytes)
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 40 }), (at) => {
        expect(readAll(...cut(bytes, at))).toEqual(whole)
      }),
    )
  })

  it('takes the names of ustar, of GNU tar and of old tar', () => {
    const prefix = { at: 345, bytes: Buffer.from('some/prefix') }
    const gnuLong = tarPart({ name: '././@LongLink', type: 'L', content: `${long}\0` })
    const gnuTarget = tarPart({ name: '././@LongLink', type: 'K', content: `${long}x\0` })
    const found = readAll(
      tarPart(file('ustar', '', { raw: prefix })),
      tarPart(file('gnu', '', { raw: prefix, magic: 'ustar  \0' })),
      Buffer.concat([gnuTarget, gnuLong, tarPart(symlink('short', 'short'))]),
      tarPart({ name: 'old/', type: '\0', magic: '' }),
      tarPart({ name: 'n'.repeat(100), target: 't'.repeat(100), type: '2' }),
      tarPart({ name: Buffer.from([0xff, 0xfe]) }),
    )
    expect(found.map(({ kind, name }) => [kind, name])).toEqual([
      ['file', 'some/prefix/ustar'],
      ['file', 'gnu'],
      ['symlink', long],
      ['directory', 'old/'],
      ['symlink', 'n'.repeat(100)],
      ['file', '\xff\xfe'],
    ])
    expect(found[2]?.linkTarget).toBe(`${long}x`)
  })

  it('ends at two blocks of zeros, at one, or where the bytes end; what is behind is nobody’s business', () => {
    const part = tarPart(file('a', 'one'))
    for (const end of [[], [Buffer.alloc(512)], [Buffer.alloc(1_024)], [Buffer.alloc(1_024), Buffer.from('garbage')]])
      expect(readAll(part, ...end)).toHaveLength(1)
    expect(readAll()).toEqual([])
  })

  it('passes over what holds for all that follows, as container engines do', () => {
    const global = tarPart({
      name: 'pax_global_header',
      type: 'g',
      content: '52 comment=0123456789012345678901234567890123456789\n',
    })
    expect(readAll(global, tarOf(file('a'))).map(({ name }) => name)).toEqual(['a'])
  })

  const hostile: Record<string, [Buffer, RegExp]> = {
    'a wrong checksum': [Buffer.concat([Buffer.from('x'), tarOf(file('a')).subarray(1)]), /checksum/],
    'random bytes': [Buffer.alloc(1_024, 0x5a), /checksum/],
    'half a header': [tarPart(file('a')).subarray(0, 300), /ends before/],
    'half a file': [tarPart(file('a', 'x'.repeat(2_000))).subarray(0, 1_000), /ends before/],
    'a file without its padding': [tarPart(file('a', 'x')).subarray(0, 600), /ends before/],
    'an extension of nothing': [paxPart({ path: 'a' }), /ends before/],
    'one block of zeros, and more': [Buffer.concat([Buffer.alloc(512), tarOf(file('a'))]), /part of its end/],
    'a pax header of 1 GiB': [tarPart({ name: 'x', type: 'x', size: 2 ** 30 }), /extended header of 1073741824 bytes/],
    'a long name of 1 GiB': [tarPart({ name: 'x', type: 'L', size: 2 ** 30 }), /extended header/],
    'a negative size': [tarPart(file('a', '', { size: -1 })), /negative size/],
    'a negative size of an extension': [tarPart({ name: 'x', type: 'x', size: -512 }), /extended header/],
    'a size beyond all numbers': [tarPart(file('a', '', { size: 2n ** 80n })), /too large/],
    'a size that is none': [tarPart(file('a', '', { raw: { at: 124, bytes: Buffer.from('12345678x9\0') } })), /is none/],
    'a negative owner': [tarPart(file('a', '', { uid: -1 })), /negative uid/],
    'a sparse file of GNU tar': [tarPart({ name: 'a', type: 'S' }), /type "S"/],
    'a sparse file of pax': [tarPart(file('a', '', { pax: { 'GNU.sparse.major': '1' } })), /sparse/],
    'an unknown type': [tarPart({ name: 'a', type: 'V' }), /type "V"/],
    'a NUL in a name': [tarPart(file('a', '', { pax: { path: 'a\0b' } })), /NUL/],
    'a NUL in a target': [tarPart(symlink('a', 'b', { pax: { linkpath: 'a\0b' } })), /NUL/],
    'a pax size that is none': [tarPart(file('a', '', { pax: { size: '-1' } })), /'size'/],
    'a pax size beyond all numbers': [tarPart(file('a', '', { pax: { size: '9'.repeat(30) } })), /'size'/],
    'a pax time that is none': [tarPart(file('a', '', { pax: { mtime: '1e99' } })), /time/],
    'too many extended attributes': [
      tarPart(file('a', '', { pax: { 'SCHILY.xattr.user.a': 'x'.repeat(70_000) } })),
      /extended attributes/,
    ],
  }
  for (const [what, [bytes, rule]] of Object.entries(hostile)) {
    it(`refuses ${what}`, () => {
      expect(() => readAll(bytes)).toThrow(rule)
      expect(() => readAll(bytes)).toThrow(Refusal)
    })
  }

  it('refuses each damaged pax record', () => {
    for (const record of [
      '',
      'x',
      '5 a=b',
      '99 a=b\n',
      '0 a=b\n',
      '6 a=bb\n',
      '6  a=b\n',
      '5 =b\n',
      '6 abc\n',
      '-6 a=b\n',
      '12345678 a=b\n',
      '3 \n',
    ])
      if (record !== '')
        expect(() => readAll(tarPart({ name: 'x', type: 'x', content: record }), tarPart(file('a'))), record).toThrow(/damaged/)
  })

  it('gives an error of its own kind, or entries, for any damage, and holds little', () => {
    const bytes = tarOf(...everything)
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 8 }),
        fc.nat(bytes.length),
        (changes, length) => {
          const damaged = Buffer.from(bytes)
          for (const [at, byte] of changes) damaged[at] = byte
          // Most changes break the checksum: every second header is given the right one again.
          for (let at = 0; at + 512 <= damaged.length; at += 1_024) mend(damaged.subarray(at, at + 512))
          try {
            readAll(damaged.subarray(0, length))
          } catch (error) {
            expect(error).toBeInstanceOf(Refusal)
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})

function mend(header: Buffer): void {
  header.fill(' ', 148, 156)
  header.write(
    `${header
      .reduce((all, byte) => all + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  )
}
