/** A guest small enough to read: it answers on the real wire, and each test says what it answers. */

import type { Duplex } from 'node:stream'
import { encodeMessage, type GuestMessage, type HostMessage, MessageReader, readMessage } from '../../src/agent/index.ts'
import { MuxSession, type MuxStream } from '../../src/mux/index.ts'

/** A process as this guest sees it: three streams and a way to answer. */
export class SmallProcess {
  readonly start: Extract<HostMessage, { type: 'Start' }>
  readonly control: MuxStream
  readonly stdio: Promise<MuxStream>
  readonly stderr: Promise<MuxStream>
  /** What came on the control stream after Start. */
  readonly heard: HostMessage[] = []
  attach: (channel: number, stream: MuxStream) => void = () => {}
  onMessage: (message: HostMessage) => void = () => {}

  constructor(start: Extract<HostMessage, { type: 'Start' }>, control: MuxStream) {
    this.start = start
    this.control = control
    const channels = new Map<number, (stream: MuxStream) => void>()
    this.stdio = new Promise((resolve) => channels.set(1, resolve))
    this.stderr = new Promise((resolve) => channels.set(2, resolve))
    this.attach = (channel, stream) => channels.get(channel)?.(stream)
    const reader = new MessageReader('guest')
    control.on('data', (chunk: Buffer) => {
      reader.push(chunk)
      for (let message = reader.next(); message !== undefined; message = reader.next()) {
        this.heard.push(message)
        this.onMessage(message)
      }
    })
  }

  say(message: GuestMessage): void {
    this.control.write(encodeMessage(message))
  }

  async exit(exitCode = 0, signal = 0): Promise<void> {
    const [stdio, stderr] = await Promise.all([this.stdio, this.stderr])
    stdio.end()
    stderr.end()
    this.control.end(encodeMessage({ type: 'Exited', exitCode, signal, oomKilled: 0 }))
  }
}

export interface SmallGuestScript {
  onHello?: (hello: Extract<HostMessage, { type: 'Hello' }>, stream: MuxStream) => void
  onStart?: (process: SmallProcess) => void
  onWriteFile?: (message: Extract<HostMessage, { type: 'WriteFile' }>, stream: MuxStream) => void
  /** Everything that has no script of its own. */
  onRequest?: (message: HostMessage, stream: MuxStream) => void
}

export function smallGuest(pipe: Duplex, script: SmallGuestScript): MuxSession {
  const processes = new Map<number, SmallProcess>()
  const onStream = async (stream: MuxStream): Promise<void> => {
    const message = await readMessage(stream, 'guest')
    if (message.type === 'Hello') script.onHello?.(message, stream)
    else if (message.type === 'WriteFile') script.onWriteFile?.(message, stream)
    else if (message.type === 'Start') {
      const process = new SmallProcess(message, stream)
      processes.set(stream.id, process)
      script.onStart?.(process)
    } else if (message.type === 'Attach') processes.get(message.process)?.attach(message.channel, stream)
    else script.onRequest?.(message, stream)
  }
  return new MuxSession(pipe, { role: 'server', onStream: (stream) => void onStream(stream).catch(() => stream.reset()) })
}
