import { expect, it } from 'vitest'
import { Places, streamsInAllMax } from '../../src/agent/places.ts'
import { openStreamsMax } from '../../src/mux/index.ts'

it('all that may be under way at once fits into the streams that a guest takes', () => {
  expect(streamsInAllMax).toBeLessThanOrEqual(openStreamsMax.client)
})

it('a kind that has no place left keeps no other from its turn', async () => {
  const places = new Places()
  const { signal } = new AbortController()
  const held = await Promise.all(Array.from({ length: 32 }, () => places.take('watches', signal)))
  let served = false
  const next = places.take('watches', signal).then(() => {
    served = true
  })
  const release = await places.take('requests', signal)
  expect(served).toBe(false)
  release()
  held[0]?.()
  await next
})
