/** The lines of QMP: whatever QEMU answers, each command is answered once, by a value or a typed error. */

import assert from 'node:assert/strict'
import { QmpClient } from '../../src/hypervisor/qemu/qmp.ts'
import { assertTyped } from './oracle.ts'
import { Feed, turn } from './talk.ts'
import type { Target } from './target.ts'

export const lines: Target = async (_bytes, chunks) => {
  const pipe = new Feed()
  const client = new QmpClient(pipe)
  const commands = [
    client.negotiate(),
    client.execute('query-status'),
    client.prepareMigration(),
    client.migrate('migrate', '/state'),
    client.execute('quit'),
  ]
  let pending = commands.length
  const outcomes = commands.map((command) => command.catch(assertTyped).finally(() => pending--))
  for (const chunk of chunks) pipe.emit('data', chunk)
  await turn()
  pipe.destroy()
  for (let turns = 0; turns < 10 && pending > 0; turns++) await turn()
  assert.equal(pending, 0, 'every command ends with its connection')
  await Promise.all(outcomes)
}
