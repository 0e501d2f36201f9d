/** A whole conversation: one call of every kind is under way, and the guest says what the fuzzer makes up. */

import assert from 'node:assert/strict'
import { Duplex, type Readable } from 'node:stream'
import { AgentConnection, type GuestProcess, type OpenFile, type OpenWatch, type TreeEntry } from '../../src/agent/index.ts'
import { everyCall } from '../../test/support/calls.ts'
import { assertTyped } from './oracle.ts'
import type { Target } from './target.ts'

/** A pipe whose other end takes everything and says what it is told to. */
export class Feed extends Duplex {
  readonly written: Buffer[] = []

  override _read(): void {}
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.written.push(chunk)
    done()
  }
}

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** How many turns of the event loop everything has to end in, once the connection has. */
const turnsMax = 100

export const talk: Target = async (_bytes, chunks) => {
  const pipe = new Feed()
  const connection = new AgentConnection(pipe)
  const calls = everyCall(connection)
  let pending = 0
  const watch = async (work: Promise<unknown>): Promise<void> => {
    pending++
    try {
      await work
    } catch (error) {
      assertTyped(error)
    } finally {
      pending--
    }
  }
  const follow = async (call: Promise<unknown>, name: string): Promise<void> => {
    const value = await call
    if (name.startsWith('start')) await followProcess(value as GuestProcess, watch)
    else if (name === 'connect') (value as Readable).on('error', assertTyped).resume()
    else if (name === 'read a file') for (const file = value as OpenFile; (await file.next()) !== undefined; );
    else if (name === 'watch') for (const open = value as OpenWatch; (await open.next()) !== undefined; );
    else if (name === 'read a tree') for await (const _ of (value as IteratorYieldResult<TreeEntry>).value?.content ?? []);
  }
  const outcomes = [...calls].map(([name, call]) => watch(follow(call, name)))
  await turn()
  for (const chunk of chunks) {
    pipe.emit('data', chunk)
    if (chunk.length > 16) await turn()
  }
  await turn()
  connection.close()
  for (let turns = 0; turns < turnsMax && (pending > 0 || !pipe.destroyed); turns++) await turn()
  assert.equal(pending, 0, 'every call ends with its connection')
  await Promise.all(outcomes)
  assert.ok(pipe.destroyed, 'the pipe ends with its connection')
}

async function followProcess(process: GuestProcess, watch: (work: Promise<unknown>) => Promise<void>): Promise<void> {
  for (const output of [process.stdout, process.stderr]) output.on('error', assertTyped).resume()
  await Promise.all([watch(process.signal(15)), watch(process.exited)])
}
