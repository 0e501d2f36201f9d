/** The first code of a sandbox from stock takes a connection that was made before there was a tenant, if that is still good. */

import type { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import type { FakePool } from '../../../src/testing/index.ts'
import { end, frame, poolAnsweredBy, requestOf } from './answering.ts'

/** One kept warm, and what its interpreter has been asked for, by connection. */
async function warmPool(idle: (connection: Duplex) => void = () => {}) {
  const asked: unknown[][] = []
  let unasked = 0
  const pool: FakePool = poolAnsweredBy(
    async (connection) => {
      const requests: unknown[] = []
      asked.push(requests)
      unasked++
      // The probes are asked at once; what is not is the one that was made ahead.
      const waiting = setTimeout(() => idle(connection), 100)
      const request = await requestOf(connection)
      clearTimeout(waiting)
      unasked--
      requests.push(request.probe === true ? 'probe' : request.source)
      connection.write(Buffer.concat([frame(1, 'hello'), end()]))
    },
    { warm: 1 },
  )
  await pool.ready()
  return { pool, asked, unasked: () => unasked }
}

test('it is there before the tenant, serves the first run, and no other', async () => {
  const { pool, asked, unasked } = await warmPool()
  await using _ = pool
  const probes = asked.length - 1
  expect(unasked()).toBe(1)
  await using sandbox = await pool.createSandbox()
  expect(sandbox.info().origin).toBe('warm')
  expect((await sandbox.runCode('first')).stdout).toBe('hello')
  expect(asked[probes]).toEqual(['first'])
  const own = asked.length
  await sandbox.runCode('second')
  expect(asked.slice(own).flat()).toContain('second')
})

test.each<[string, (connection: Duplex) => void]>([
  ['was ended', (connection) => connection.end()],
  ['was reset', (connection) => connection.destroy()],
  ['spoke first', (connection) => connection.write(frame(1, 'of somebody else'))],
])('one that %s meanwhile is not used', async (_how, act) => {
  const { pool } = await warmPool(act)
  await using _ = pool
  await new Promise((resolve) => setTimeout(resolve, 300))
  await using sandbox = await pool.createSandbox()
  expect(sandbox.info().origin).toBe('warm')
  expect((await sandbox.runCode('first')).stdout).toBe('hello')
})
