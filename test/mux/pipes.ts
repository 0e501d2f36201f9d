/** Pipes to test over: two ends of a real unix socket, or of a pair in memory. */

import { mkdtemp, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Duplex, duplexPair } from 'node:stream'
import { afterEach } from 'vitest'

const open = new Set<Duplex>()

/** Every pipe ends with its test: before the leak check, whose hook was set before this one. */
afterEach(() => {
  for (const pipe of open) pipe.destroy()
  open.clear()
})

export async function socketPair(): Promise<[net.Socket, net.Socket]> {
  const directory = await mkdtemp(join(tmpdir(), 'warmcell-test-'))
  const server = net.createServer({ allowHalfOpen: true })
  const path = join(directory, 'pair')
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const accepted = new Promise<net.Socket>((resolve) => server.once('connection', resolve))
  const near = net.connect({ path, allowHalfOpen: true })
  const far = await accepted
  server.close()
  await rm(directory, { recursive: true })
  open.add(near).add(far)
  return [near, far]
}

export function memoryPair(): [Duplex, Duplex] {
  const [near, far] = duplexPair()
  open.add(near).add(far)
  return [near, far]
}
