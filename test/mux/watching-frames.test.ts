import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { FrameWatch, frameMsMax } from '../../src/mux/watch.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function watched(): { frames: { inFrame: boolean; framesEnded: number }; watch: FrameWatch; late: () => number } {
  const frames = { inFrame: true, framesEnded: 0 }
  let late = 0
  const watch = new FrameWatch(frames, () => void late++)
  return { frames, watch, late: () => late }
}

it('a frame that does not end is late after its time, once', () => {
  const { watch, late } = watched()
  watch.begin()
  vi.advanceTimersByTime(frameMsMax - 1)
  expect(late()).toBe(0)
  vi.advanceTimersByTime(2)
  expect(late()).toBe(1)
  expect(vi.getTimerCount()).toBe(0)
})

it('each frame has its own time', () => {
  const { frames, watch, late } = watched()
  for (let count = 0; count < 10; count++) {
    watch.begin()
    vi.advanceTimersByTime(frameMsMax - 1)
    frames.framesEnded++
  }
  expect(late()).toBe(0)
  watch.begin()
  vi.advanceTimersByTime(frameMsMax + 1)
  expect(late()).toBe(1)
})

it('what waited to be read while this process was stopped is read first', () => {
  const { frames, watch, late } = watched()
  watch.begin()
  // The rest of the frame is read in the turn between the timer and the verdict.
  setTimeout(() => {
    frames.framesEnded++
    frames.inFrame = false
  }, frameMsMax)
  vi.advanceTimersByTime(2 * frameMsMax)
  expect(late()).toBe(0)
  expect(vi.getTimerCount()).toBe(0)
})

it('nothing is late after the session has ended, and no timer is left', () => {
  const { watch, late } = watched()
  watch.begin()
  watch.stop()
  expect(vi.getTimerCount()).toBe(0)
  vi.advanceTimersByTime(2 * frameMsMax)
  expect(late()).toBe(0)
})
