/** The files of a sandbox over a guest that says what a test wants it to say, on the real wire. */

import { encodeMessage, type GuestMessage, type HostMessage } from '../../../src/agent/index.ts'
import type { MuxSession, MuxStream } from '../../../src/mux/index.ts'
import { SandboxFiles } from '../../../src/sandbox/files/files.ts'
import { talkTo } from '../../agent/talking.ts'

export interface HostileGuest extends Disposable {
  readonly files: SandboxFiles
  /** The guest's side of the connection. */
  readonly guest: MuxSession
  readonly ended: Promise<unknown>
}

export async function hostileGuest(onRequest: (message: HostMessage, stream: MuxStream) => void): Promise<HostileGuest> {
  const { connection, guest } = await talkTo({ onRequest, onWriteFile: onRequest })
  const files = new SandboxFiles({
    id: 'wc-test',
    connection,
    env: {},
    user: 'root',
    cwd: '/project',
    ask: (work) => work(),
    call: (work) => work(),
    explain: async (error) => error,
    isReachable: async () => true,
    assertRunning: () => {},
    enter: () => () => {},
    touch: () => {},
    ended: connection.ended,
  })
  return { files, guest, ended: connection.ended, [Symbol.dispose]: () => connection.close() }
}

export type Said = GuestMessage | Uint8Array | 'reset'

/** Says it all, in order, and ends the stream. */
export function saying(...all: Said[]): (message: HostMessage, stream: MuxStream) => void {
  return (_, stream) => {
    stream.resume()
    for (const one of all) {
      if (one === 'reset') {
        // What was said is on its way first.
        setTimeout(() => stream.reset(), 50)
        return
      }
      stream.write(one instanceof Uint8Array ? one : encodeMessage(one))
    }
    stream.end()
  }
}

export const kinds = { file: 1, directory: 2, symlink: 3, other: 4 } as const

export function entry(
  path: string,
  kind: keyof typeof kinds = 'file',
  more: Partial<Extract<GuestMessage, { type: 'Entry' }>> = {},
): GuestMessage {
  return { type: 'Entry', path, kind: kinds[kind], sizeBytes: 0, mode: 0o644, modifiedNs: 0n, owner: 'root', ...more }
}

export const top: GuestMessage = entry('', 'directory', { mode: 0o755 })
