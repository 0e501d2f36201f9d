import { expect, test } from 'vitest'
import { Cleanup } from '../../src/common/cleanup.ts'
import { guestPath } from '../../src/common/guest-path.ts'
import { foreignLines, foreignText } from '../../src/common/text.ts'

test('undo steps run last in first out, all of them, and the first failure is thrown', async () => {
  const cleanup = new Cleanup()
  const done: string[] = []
  cleanup.defer(() => void done.push('first'))
  cleanup.defer(() => {
    done.push('second')
    throw new Error('second failed')
  })
  cleanup.defer(async () => {
    done.push('third')
    throw new Error('third failed')
  })
  await expect(cleanup.run()).rejects.toThrow('third failed')
  expect(done).toEqual(['third', 'second', 'first'])
  await cleanup.run()
  expect(done.length).toBe(3)
})

test('what was released is not undone', async () => {
  const cleanup = new Cleanup()
  cleanup.defer(() => {
    throw new Error('undone')
  })
  cleanup.release()
  await cleanup.run()
})

test('the words of a guest are one line, without control characters, and short', () => {
  expect(foreignText('a\r\nb\u001b[31mc\u0000\u2028d ')).toBe('a b [31mc d')
  expect(foreignText('x'.repeat(600))).toBe(`${'x'.repeat(512)}…`)
  expect(foreignText('abc', 2)).toBe('ab…')
  // Whole characters, and in the order in which they are read.
  expect(foreignText('ab\u{1f30d}c', 3)).toBe('ab…')
  expect(foreignText('safe\u202egnp.\u2066exe')).toBe('safe gnp. exe')
})

test('the lines of a console keep their breaks and tabs, and lose colours and bells', () => {
  expect(foreignLines('\r\na\tb\r\nc\u001b[1;31md\u001b[0m\u0007\re\u0085\n')).toBe('a\tb\ncd\ne')
})

test('guest paths are joined from the right: absolute wins, and none is the home', () => {
  expect(guestPath('', '')).toBe('')
  expect(guestPath('', 'a')).toBe('a')
  expect(guestPath('/w', '')).toBe('/w')
  expect(guestPath('/w', '../a')).toBe('/a')
  expect(guestPath('w', 'a')).toBe('w/a')
  expect(guestPath('/w', '/a')).toBe('/a')
})
