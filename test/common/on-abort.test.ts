import { expect, test, vi } from 'vitest'
import { withDeadline } from '../../src/common/deadline.ts'
import { linkedSignal } from '../../src/common/linked-signal.ts'
import { onAbort } from '../../src/common/on-abort.ts'

test('all who ask are told, once, but for those who have undone it', () => {
  const source = new AbortController()
  const told: string[] = []
  onAbort(source.signal, () => told.push('first'))
  const undo = onAbort(source.signal, () => told.push('second'))
  const undoLast = onAbort(source.signal, () => told.push('last'))
  onAbort(source.signal, () => undoLast())
  undo()
  undo()
  source.abort()
  expect(told).toEqual(['first', 'last'])
})

test('one that is undone by another as the signal fires is not told', () => {
  const source = new AbortController()
  const told = vi.fn()
  let undo = (): void => {}
  onAbort(source.signal, () => undo())
  undo = onAbort(source.signal, told)
  source.abort()
  expect(told).not.toHaveBeenCalled()
})

test('a signal that hundreds of calls share has one listener, and none when they are done', async () => {
  const { signal } = new AbortController()
  const add = vi.spyOn(signal, 'addEventListener')
  const remove = vi.spyOn(signal, 'removeEventListener')
  const links = Array.from({ length: 200 }, () => linkedSignal([signal]))
  await Promise.all(Array.from({ length: 200 }, () => withDeadline('It', { signal }, async () => {})))
  expect(add).toHaveBeenCalledTimes(1)
  expect(remove).not.toHaveBeenCalled()
  for (const { unlink } of links) unlink()
  expect(remove).toHaveBeenCalledTimes(1)
  const again = vi.fn()
  onAbort(signal, again)
  expect(add).toHaveBeenCalledTimes(2)
})
