import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { withDeadline } from '../../src/common/deadline.ts'
import { onAbort } from '../../src/common/on-abort.ts'

test('a hundred calls with one signal are one listener of it, each is told once, and none is left', async () => {
  const { signal, abort } = ((controller) => ({ signal: controller.signal, abort: () => controller.abort('enough') }))(
    new AbortController(),
  )
  const told: number[] = []
  const takeBack = Array.from({ length: 100 }, (_, call) => onAbort(signal, () => told.push(call)))
  expect(getEventListeners(signal, 'abort')).toHaveLength(1)
  for (const undo of takeBack.slice(2)) undo()
  const waits = [1, 2].map(() => withDeadline('waiting', { signal }, () => new Promise(() => {})))
  expect(getEventListeners(signal, 'abort')).toHaveLength(1)
  abort()
  expect(told).toEqual([0, 1])
  for (const wait of waits) await expect(wait).rejects.toBe('enough')
  for (const undo of takeBack) undo()
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
})

test('what is taken back leaves the signal as it was, and it can be listened to again', () => {
  const controller = new AbortController()
  onAbort(controller.signal, () => expect.unreachable())()
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  let told = 0
  onAbort(controller.signal, () => told++)
  controller.abort()
  expect(told).toBe(1)
})
