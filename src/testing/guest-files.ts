/** The file system of the fake guest: in memory, with the errors of a real one. */

import { posix } from 'node:path'

/** What a guest refuses with. */
export class Refusal extends Error {
  readonly errno: string

  constructor(errno: string, message: string) {
    super(message)
    this.errno = errno
  }
}

export interface FakeEntry {
  readonly path: string
  readonly kind: 'file' | 'directory' | 'symlink'
  readonly sizeBytes: number
  readonly mode: number
  readonly owner: string
  readonly modifiedNs: bigint
  readonly target?: string
}

export interface FakeChange {
  readonly type: 'create' | 'write' | 'remove' | 'rename'
  readonly path: string
  readonly from?: string
}

interface Facts {
  readonly mode: number
  readonly owner: string
  readonly modifiedNs: bigint
}

type Other = Facts & ({ readonly kind: 'directory' } | { readonly kind: 'symlink'; readonly target: string })

const linksMax = 40

/** What a real guest has from its root image. */
const always: ReadonlySet<string> = new Set(['/', '/etc', '/home', '/home/user', '/root', '/srv', '/tmp'])

/** A map that says what is done to it: tests and programs change it directly. */
class ObservedFiles extends Map<string, Uint8Array> {
  onChange: (change: FakeChange) => void = () => {}

  override set(path: string, data: Uint8Array): this {
    const type = this.has(path) ? 'write' : 'create'
    super.set(path, data)
    this.onChange({ type, path })
    return this
  }

  override delete(path: string): boolean {
    const deleted = super.delete(path)
    if (deleted) this.onChange({ type: 'remove', path })
    return deleted
  }

  override clear(): void {
    for (const path of [...this.keys()]) this.delete(path)
  }
}

/** Files are a map by absolute path; directories come with what is in them, or are made. */
export class GuestFileSystem {
  readonly files: Map<string, Uint8Array>
  /** Whether a file may become that long. */
  hasRoomFor: (path: string, bytes: number) => boolean = () => true
  readonly #others = new Map<string, Other>()
  readonly #facts = new Map<string, Facts>()
  readonly #listeners = new Set<(change: FakeChange) => void>()
  #quiet = false

  constructor() {
    const files = new ObservedFiles()
    files.onChange = (change) => {
      const { mode = 0o644, owner = 'root' } = this.#facts.get(change.path) ?? {}
      if (change.type === 'remove') this.#facts.delete(change.path)
      else this.#facts.set(change.path, { mode, owner, modifiedNs: now() })
      this.#tell(change)
    }
    this.files = files
  }

  /** @returns what ends it */
  onChange(listener: (change: FakeChange) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Of a link itself. @throws Refusal */
  stat(path: string): FakeEntry {
    const entry = this.#entry(this.resolve(path, false))
    if (entry === undefined) throw new Refusal('ENOENT', 'No such file or directory')
    return { ...entry, path: posix.normalize(path).replace(/(.)\/$/, '$1') }
  }

  /** Links followed. @throws Refusal */
  read(path: string): Uint8Array {
    const data = this.files.get(this.#existing(path))
    if (data === undefined) throw new Refusal('EISDIR', 'Is a directory')
    return data
  }

  /** With missing parents, through a link. @throws Refusal */
  write(path: string, data: Uint8Array, { owner, mode, append = false, modifiedNs = now() }: WriteFacts): void {
    const place = this.resolve(path)
    if (this.#kind(place) === 'directory') throw new Refusal('EISDIR', 'Is a directory')
    this.#makeParents(place, owner)
    const before = this.#facts.get(place)
    const content = append ? Buffer.concat([this.files.get(place) ?? Buffer.alloc(0), data]) : data
    if (!this.hasRoomFor(place, content.length)) throw new Refusal('ENOSPC', 'No space left on device')
    this.files.set(place, content)
    const kept = append && before !== undefined ? before : { mode: mode ?? before?.mode ?? 0o644, owner }
    this.#facts.set(place, { mode: kept.mode, owner: kept.owner, modifiedNs })
  }

  /** With missing parents; one that is there is left as it is. @throws Refusal */
  makeDirectory(path: string, owner: string, facts: Partial<Facts> = {}): void {
    const place = this.resolve(path)
    const kind = this.#kind(place)
    if (kind === 'file') throw new Refusal('EEXIST', 'File exists')
    if (kind === 'directory') return
    this.#makeParents(place, owner)
    this.#others.set(place, { kind: 'directory', mode: 0o755, owner, modifiedNs: now(), ...facts })
    this.#tell({ type: 'create', path: place })
  }

  /** Over a file or link that is there. @throws Refusal */
  link(path: string, target: string, owner: string, modifiedNs: bigint = now()): void {
    const place = this.resolve(path, false)
    if (this.#kind(place) === 'directory') throw new Refusal('EISDIR', 'Is a directory')
    this.#makeParents(place, owner)
    if (this.#kind(place) !== undefined) this.remove(place, false)
    this.#others.set(place, { kind: 'symlink', target, mode: 0o777, owner, modifiedNs })
    this.#tell({ type: 'create', path: place })
  }

  /** @throws Refusal */
  rename(from: string, to: string): void {
    const [old, place] = [this.resolve(from, false), this.resolve(to, false)]
    const [kind, there] = [this.#kind(old), this.#kind(place)]
    if (kind === undefined || this.#kind(posix.dirname(place)) !== 'directory')
      throw new Refusal('ENOENT', 'No such file or directory')
    if (old === place) return
    if (place.startsWith(`${old}/`)) throw new Refusal('EINVAL', 'Invalid argument')
    if (kind === 'directory' && there !== undefined && there !== 'directory') throw new Refusal('ENOTDIR', 'Not a directory')
    if (kind !== 'directory' && there === 'directory') throw new Refusal('EISDIR', 'Is a directory')
    if (there === 'directory' && this.children(place).length > 0) throw new Refusal('ENOTEMPTY', 'Directory not empty')
    this.#quietly(() => {
      if (there !== undefined) this.remove(place, false)
      for (const path of [old, ...this.#below(old)]) this.#move(path, `${place}${path.slice(old.length)}`)
    })
    this.#tell({ type: 'rename', path: place, from: old })
  }

  /** @throws Refusal */
  remove(path: string, recursive: boolean): void {
    const place = this.resolve(path, false)
    const kind = this.#kind(place)
    if (kind === undefined) throw new Refusal('ENOENT', 'No such file or directory')
    if (always.has(place)) throw new Refusal('EBUSY', 'Device or resource busy')
    const below = this.#below(place)
    if (below.length > 0 && !recursive) throw new Refusal('ENOTEMPTY', 'Directory not empty')
    for (const one of [...below.reverse(), place]) {
      if (this.files.delete(one)) continue
      if (this.#others.delete(one) || one === place) this.#tell({ type: 'remove', path: one })
    }
  }

  /** What is in a directory, one level. @throws Refusal */
  children(path: string): FakeEntry[] {
    const place = this.#existing(path)
    if (this.#kind(place) !== 'directory') throw new Refusal('ENOTDIR', 'Not a directory')
    const prefix = place === '/' ? '/' : `${place}/`
    const names = new Set(
      [...this.files.keys(), ...this.#others.keys(), ...always]
        .filter((one) => one.startsWith(prefix) && one.length > prefix.length)
        .map((one) => one.slice(prefix.length).split('/')[0] ?? ''),
    )
    return [...names].sort().flatMap((name) => this.#entry(prefix + name) ?? [])
  }

  /** Where a path leads, as far as it leads; `follow` says whether its last part is followed. @throws Refusal */
  resolve(path: string, follow = true): string {
    let at = '/'
    let links = 0
    const todo = path.split('/')
    for (let name = todo.shift(); name !== undefined; name = todo.shift()) {
      if (name === '' || name === '.') continue
      const next = name === '..' ? posix.dirname(at) : posix.join(at, name)
      const other = this.#others.get(next)
      const more = todo.some((one) => one !== '')
      if (other?.kind === 'symlink' && (follow || more)) {
        if (++links > linksMax) throw new Refusal('ELOOP', 'Too many levels of symbolic links')
        if (other.target.startsWith('/')) at = '/'
        todo.unshift(...other.target.split('/'))
        continue
      }
      if (more && this.files.has(next)) throw new Refusal('ENOTDIR', 'Not a directory')
      at = next
    }
    return at
  }

  #existing(path: string): string {
    const place = this.resolve(path)
    if (this.#kind(place) === undefined) throw new Refusal('ENOENT', 'No such file or directory')
    return place
  }

  #entry(path: string): FakeEntry | undefined {
    const kind = this.#kind(path)
    const other = this.#others.get(path)
    if (kind === undefined) return undefined
    const { mode, owner, modifiedNs } = other ?? this.#facts.get(path) ?? { mode: 0o755, owner: 'root', modifiedNs: 0n }
    const sizeBytes = this.files.get(path)?.length ?? (other?.kind === 'symlink' ? other.target.length : 0)
    return { path, kind, sizeBytes, mode, owner, modifiedNs, ...(other?.kind === 'symlink' && { target: other.target }) }
  }

  #kind(path: string): FakeEntry['kind'] | undefined {
    if (this.files.has(path)) return 'file'
    return this.#others.get(path)?.kind ?? (always.has(path) || this.#below(path).length > 0 ? 'directory' : undefined)
  }

  /** Everything below a path that is more than implied, by path. */
  #below(path: string): string[] {
    const prefix = `${path}/`
    return [...this.files.keys(), ...this.#others.keys()].filter((one) => one.startsWith(prefix)).sort()
  }

  #makeParents(path: string, owner: string): void {
    const parent = posix.dirname(path)
    if (this.#kind(parent) === 'file') throw new Refusal('ENOTDIR', 'Not a directory')
    if (parent !== path && this.#kind(parent) === undefined) this.makeDirectory(parent, owner)
  }

  #move(from: string, to: string): void {
    const [data, facts, other] = [this.files.get(from), this.#facts.get(from), this.#others.get(from)]
    if (data !== undefined) {
      this.files.delete(from)
      this.files.set(to, data)
      if (facts !== undefined) this.#facts.set(to, facts)
    }
    this.#others.delete(from)
    if (other !== undefined) this.#others.set(to, other)
  }

  #quietly(work: () => void): void {
    this.#quiet = true
    try {
      work()
    } finally {
      this.#quiet = false
    }
  }

  #tell(change: FakeChange): void {
    if (!this.#quiet) for (const listener of this.#listeners) listener(change)
  }
}

export interface WriteFacts {
  readonly owner: string
  readonly mode?: number | undefined
  readonly append?: boolean
  readonly modifiedNs?: bigint
}

function now(): bigint {
  return BigInt(Date.now()) * 1_000_000n
}
