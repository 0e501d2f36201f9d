/** Functions that make something of a foreign text: what is shown of it, what a terminal is to be told, where its paths lead, which process it speaks of. */

import assert from 'node:assert/strict'
import { readProcessStat } from '../../src/common/process-stat.ts'
import { foreignLines, foreignText } from '../../src/common/text.ts'
import { identityText, parseIdentity } from '../../src/host/process-identity.ts'
import { recogniseVm } from '../../src/hypervisor/qemu/recognise.ts'
import { componentsOf, linkRefusal, Tree } from '../../src/sandbox/files/confine.ts'
import { Modes } from '../../src/sandbox/pty/modes.ts'
import { harmful } from './oracle.ts'
import type { Target } from './target.ts'

export const texts: Target = (bytes, chunks) => {
  const text = bytes.toString()
  shown(text)
  modes(bytes, chunks)
  paths(text)
  readProcessStat(text)
  recogniseVm(text.split('\0'))
  const identity = parseIdentity(text)
  if (identity !== undefined) assert.equal(parseIdentity(identityText(identity))?.pid, identity.pid)
}

function shown(text: string): void {
  for (const charsMax of [16, 512]) {
    const one = foreignText(text, charsMax)
    assert.doesNotMatch(one, harmful)
    assert.ok(one.length <= charsMax + 1)
    assert.ok(!/[\ud800-\udbff](?![\udc00-\udfff])/.test(one), 'no character is cut')
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  assert.doesNotMatch(foreignLines(text), /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/)
}

/** What is remembered of a terminal is the same however its output came. */
function modes(bytes: Buffer, chunks: readonly Buffer[]): void {
  const [whole, pieces] = [new Modes(), new Modes()]
  whole.note(bytes)
  for (const chunk of chunks) pieces.note(chunk)
  assert.equal(pieces.sequence(), whole.sequence())
  assert.ok(whole.sequence().length < 1_000)
}

function paths(text: string): void {
  const tree = new Tree()
  tree.announce('', 'directory')
  for (const path of text.split('\n')) {
    const components = componentsOf(path)
    tree.announce(path, 'directory')
    if ('errno' in components) continue
    assert.equal(components.join('/'), path)
    assert.ok(components.every((name) => name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name)))
    if (linkRefusal(components.length, path) === undefined) assert.ok(!path.startsWith('/'))
  }
}
