/** Writes tar files for tests, also such as no tool would write. It knows nothing of the code that it tests. */

export interface TarPart {
  name: string | Buffer
  /** One character: '0' is a file, '5' a directory. Default: a file. */
  type?: string
  mode?: number
  uid?: number
  gid?: number
  mtime?: number
  content?: string | Buffer
  /** In place of the content's. */
  size?: number | bigint
  target?: string | Buffer
  major?: number
  minor?: number
  /** Records of a pax header in front of it. */
  pax?: Record<string, string | Buffer>
  /** Bytes of the finished header that are to be others; the checksum is then made to fit. */
  raw?: { at: number; bytes: Buffer }
  magic?: string
}

const block = 512

export function file(name: string, content = '', more: Partial<TarPart> = {}): TarPart {
  return { name, content, mode: 0o644, ...more }
}

export function directory(name: string, more: Partial<TarPart> = {}): TarPart {
  return { name, type: '5', mode: 0o755, ...more }
}

export function symlink(name: string, target: string, more: Partial<TarPart> = {}): TarPart {
  return { name, type: '2', target, mode: 0o777, ...more }
}

export function link(name: string, target: string, more: Partial<TarPart> = {}): TarPart {
  return { name, type: '1', target, ...more }
}

export function tarOf(...parts: readonly TarPart[]): Buffer {
  return Buffer.concat([...parts.map(tarPart), Buffer.alloc(2 * block)])
}

/** A part without an end of the archive behind it. */
export function tarPart(part: TarPart): Buffer {
  const content = Buffer.from(part.content ?? '')
  const extended = part.pax === undefined ? [] : [paxPart(part.pax)]
  return Buffer.concat([...extended, header(part, content.length), padded(content)])
}

export function paxPart(records: Record<string, string | Buffer>): Buffer {
  const bytes = Buffer.concat(Object.entries(records).map(([key, value]) => paxRecord(key, Buffer.from(value))))
  return tarPart({ name: 'PaxHeaders/0', type: 'x', content: bytes })
}

function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.byteLength(key) + value.length + 3
  let digits = String(rest).length
  if (String(rest + digits).length > digits) digits++
  return Buffer.concat([Buffer.from(`${rest + digits} ${key}=`), value, Buffer.from('\n')])
}

function header(part: TarPart, length: number): Buffer {
  const { name, type = '0', mode = 0, uid = 0, gid = 0, mtime = 0, target = '', major = 0, minor = 0 } = part
  const bytes = Buffer.alloc(block)
  Buffer.from(name).copy(bytes, 0, 0, 100)
  octal(bytes, 100, 8, mode)
  octal(bytes, 108, 8, uid)
  octal(bytes, 116, 8, gid)
  octal(bytes, 124, 12, part.size ?? length)
  octal(bytes, 136, 12, mtime)
  bytes.write(type, 156, 'latin1')
  Buffer.from(target).copy(bytes, 157, 0, 100)
  bytes.write(part.magic ?? 'ustar\x0000', 257, 'latin1')
  octal(bytes, 329, 8, major)
  octal(bytes, 337, 8, minor)
  part.raw?.bytes.copy(bytes, part.raw.at)
  bytes.fill(' ', 148, 156)
  const sum = bytes.reduce((all, byte) => all + byte, 0)
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return bytes
}

/** What does not fit, and what is negative, in two's complement, as GNU tar has it. */
function octal(bytes: Buffer, at: number, length: number, value: number | bigint): void {
  const digits = value.toString(8)
  if (digits.length < length && value >= 0) {
    bytes.write(digits.padStart(length - 1, '0'), at)
    return
  }
  let rest = BigInt.asUintN(8 * length, BigInt(value))
  for (let index = at + length - 1; index >= at; index--) {
    bytes[index] = Number(rest & 0xffn)
    rest >>= 8n
  }
  bytes[at] = (bytes[at] ?? 0) | 0x80
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc(-content.length & (block - 1))])
}
