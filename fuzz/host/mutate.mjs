// How the loop changes inputs: a few small changes at once, at places and to values where decoders err.

const values = [0, 1, 2, 4, 8, 16, 32, 64, 127, 128, 129, 255]
const words = [0, 1, 2, 0xff, 0x100, 0xffff, 0x10000, 0x10001, 0x40000, 0x40001, 0x7fffffff, 0x80000000, 0xffffffff]

const below = (count) => Math.floor(Math.random() * count)
const one = (list) => list[below(list.length)]

const changes = [
  (input) => set(input, below(input.length), one(values)),
  (input) => set(input, below(input.length), below(256)),
  (input) => {
    const at = below(input.length)
    return set(input, at, (input[at] ?? 0) ^ (1 << below(8)))
  },
  (input) => {
    const changed = Buffer.from(input)
    if (changed.length >= 4) changed.writeUInt32BE(one(words), below(changed.length - 3))
    return changed
  },
  (input) => {
    const changed = Buffer.from(input)
    if (changed.length < 4) return changed
    const at = below(changed.length - 3)
    changed.writeUInt32BE((changed.readUInt32BE(at) + below(33) - 16) >>> 0, at)
    return changed
  },
  (input) => splice(input, below(input.length), 1 + below(16), Buffer.alloc(0)),
  (input) => splice(input, below(input.length), 0, Buffer.alloc(1 + below(16), below(256))),
  (input) => splice(input, below(input.length), 0, piece(input)),
  (input) => input.subarray(0, below(input.length + 1)),
  (input, corpus) => splice(input, below(input.length), below(16), piece(one(corpus))),
  (input, corpus) => Buffer.concat([input, one(corpus).subarray(2)]),
]

/** Most often one of those that were kept last: they go where nobody has been. */
function parent(corpus) {
  return Math.random() < 0.5 ? one(corpus) : (corpus[corpus.length - 1 - below(Math.min(32, corpus.length))] ?? one(corpus))
}

export function mutate(corpus, bytesMax) {
  let input = parent(corpus)
  for (let count = 1 + below(4); count > 0; count--) input = one(changes)(input, corpus)
  return Buffer.from(input.subarray(0, bytesMax))
}

function set(input, at, value) {
  const changed = Buffer.from(input)
  if (changed.length > 0) changed[at] = value
  return changed
}

function splice(input, at, removed, added) {
  return Buffer.concat([input.subarray(0, at), added, input.subarray(at + removed)])
}

function piece(input) {
  const at = below(input.length)
  return input.subarray(at, at + 1 + below(64))
}
