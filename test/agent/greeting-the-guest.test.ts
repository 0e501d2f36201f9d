import { expect, it } from 'vitest'
import { AgentConnection, encodeMessage, type GuestMessage, type HostMessage } from '../../src/agent/index.ts'
import { memoryPair } from '../mux/pipes.ts'
import { identity } from '../support/calls.ts'
import { talkTo } from './talking.ts'

const welcome: GuestMessage = { type: 'Welcome', generation: 3, agentVersion: '0.1.0', kernelRelease: '6.12', bootId: 'b' }
const answering = (answer: GuestMessage): Parameters<typeof talkTo>[0] => ({
  onHello: (_hello, stream) => stream.end(encodeMessage(answer)),
})

it('the identity goes over on stream 1, and the welcome comes back', async () => {
  let heard: HostMessage | undefined
  let on = 0
  const { connection } = await talkTo({
    onHello: (hello, stream) => {
      heard = hello
      on = stream.id
      stream.end(encodeMessage(welcome))
    },
  })
  expect(await connection.handshake(identity)).toEqual({ agentVersion: '0.1.0', kernelRelease: '6.12', bootId: 'b' })
  expect(heard).toMatchObject({ type: 'Hello', generation: 3, hostname: 'warmcell-1', wallClockNs: identity.wallClockNs })
  expect(on).toBe(1)
  expect(await connection.ping()).toBeGreaterThan(0)
  connection.close()
  expect(await connection.ended).toBeUndefined()
})

it('a guest of another generation is PROTOCOL, with what to do', async () => {
  const refusing = await talkTo(answering({ type: 'Failed', errno: 'EPROTO', step: 'hello', message: 'this agent speaks 4' }))
  await expect(refusing.connection.handshake(identity)).rejects.toMatchObject({
    code: 'PROTOCOL',
    message: expect.stringContaining('this agent speaks 4'),
    hint: expect.stringContaining('guest image'),
  })
  const claiming = await talkTo(answering({ ...welcome, generation: 4 } as GuestMessage))
  await expect(claiming.connection.handshake(identity)).rejects.toMatchObject({ code: 'PROTOCOL' })
  expect(await claiming.connection.ended).toMatchObject({ code: 'PROTOCOL' })
})

it('an identity that was not taken is BOOT_FAILED, and says the step', async () => {
  const { connection } = await talkTo(answering({ type: 'Failed', errno: 'EPERM', step: 'entropy', message: 'no' }))
  await expect(connection.handshake(identity)).rejects.toMatchObject({
    code: 'BOOT_FAILED',
    message: expect.stringContaining("'entropy'"),
  })
})

it('any other answer ends the connection', async () => {
  const { connection } = await talkTo(answering({ type: 'Started', pid: 1 }))
  await expect(connection.handshake(identity)).rejects.toMatchObject({ code: 'PROTOCOL' })
  expect(await connection.ended).toMatchObject({ code: 'PROTOCOL' })
})

it('a guest that never answers is waited for as long as the caller said', async () => {
  const [near, far] = memoryPair()
  far.resume()
  const connection = new AgentConnection(near)
  await expect(connection.handshake(identity, { timeoutMs: 20 })).rejects.toMatchObject({ code: 'TIMEOUT' })
  const controller = new AbortController()
  const second = connection.handshake(identity, { signal: controller.signal })
  controller.abort(new Error('no more'))
  await expect(second).rejects.toThrow('no more')
})
