/** Bytes stream through a real microVM whole, in order, in bounded memory. */

import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { poolOfThisFile, running, sandboxOfThisFile } from './vm.ts'

const mib = 1_048_576
const pool = poolOfThisFile()
const sandbox = sandboxOfThisFile(pool)

describe('input', () => {
  it('of 4 MiB comes back whole through cat', async () => {
    const input = randomBytes(2 * mib).toString('hex')
    const { stdout, truncated } = await sandbox().exec(['cat'], { stdin: input })
    expect(truncated).toBe(false)
    expect(stdout === input).toBe(true)
  })

  it('may come piece by piece, and be left unread', async () => {
    const pieces = async function* () {
      for (let i = 0; i < 3; i++) yield `${i}\n`
    }
    expect((await sandbox().exec(['cat'], { stdin: pieces() })).stdout).toBe('0\n1\n2\n')
    const endless = async function* () {
      for (;;) yield Buffer.alloc(65_536)
    }
    expect((await sandbox().exec(['head', '-c', '1'], { stdin: endless() })).exitCode).toBe(0)
  })

  it('that is never read buffers little on the host', async () => {
    let taken = 0
    const pieces = async function* () {
      for (;;) {
        taken += 65_536
        yield Buffer.alloc(65_536)
      }
    }
    const stop = new AbortController()
    const running = sandbox().exec(['sleep', '60'], { stdin: pieces(), signal: stop.signal, killGraceMs: 0 })
    // Until no more is taken: what its end throws away makes room again.
    for (let before = -1; before !== taken; await delay(500)) before = taken
    expect(taken).toBeGreaterThan(0)
    expect(taken).toBeLessThan(2 * mib)
    stop.abort('enough')
    await expect(running).rejects.toBe('enough')
  })
})

describe('output', () => {
  it('of 64 MiB is kept to its last MiB, and the host grows by a bounded amount', async () => {
    const before = process.memoryUsage.rss()
    const { stdout, truncated, droppedBytes } = await sandbox().exec(
      'dd if=/dev/zero bs=64k count=1023 2>/dev/null; head -c 65536 /dev/zero | tr "\\0" e',
      {
        maxBufferBytes: mib,
      },
    )
    expect(truncated).toBe(true)
    expect(stdout.length).toBe(mib)
    expect(droppedBytes).toBe(63 * mib)
    expect(stdout.endsWith('e'.repeat(65_536))).toBe(true)
    expect(process.memoryUsage.rss() - before).toBeLessThan(96 * mib)
  })

  it('arrives byte for byte', async () => {
    const seed = randomBytes(64)
    const hash = createHash('sha256')
    const process = await sandbox().spawn(
      'head -c 64 >/tmp/seed; i=0; while [ $i -lt 14 ]; do cat /tmp/seed /tmp/seed >/tmp/seed2; mv /tmp/seed2 /tmp/seed; i=$((i+1)); done; cat /tmp/seed',
      {
        stdin: 'pipe',
      },
    )
    const writer = process.stdin.getWriter()
    await writer.write(seed)
    await writer.close()
    let bytes = 0
    for await (const chunk of process.stdout) {
      hash.update(chunk)
      bytes += chunk.length
    }
    expect(bytes).toBe(mib)
    const expected = createHash('sha256')
    for (let i = 0; i < 16_384; i++) expected.update(seed)
    expect(hash.digest('hex')).toBe(expected.digest('hex'))
    expect((await process.wait()).exitCode).toBe(0)
  })

  it('never cuts a character, however the bytes come', async () => {
    const pieces: string[] = []
    // Each character's bytes are written apart, with a pause between.
    const { stdout } = await sandbox().exec(
      "printf '\\342'; sleep 0.05; printf '\\202'; sleep 0.05; printf '\\254\\360\\237'; sleep 0.05; printf '\\246\\206!'",
      {
        onStdout: (text) => pieces.push(text),
      },
    )
    expect(stdout).toBe('€🦆!')
    expect(pieces.join('')).toBe('€🦆!')
    expect(pieces.some((piece) => piece.includes('\ufffd'))).toBe(false)
  })

  it('that nobody reads holds the guest back, not the host', async () => {
    await using flood = await sandbox().spawn(['yes'])
    const before = process.memoryUsage.rss()
    await delay(2_000)
    expect(process.memoryUsage.rss() - before).toBeLessThan(16 * mib)
    // A second stream is not slowed down by the first, and the flood can still be ended.
    expect((await sandbox().exec(['echo', 'still here'])).stdout).toBe('still here\n')
    expect(await flood.kill('SIGKILL')).toBe(true)
    expect((await flood.wait()).signal).toBe('SIGKILL')
  })
})

describe('a process', () => {
  it('converses: what is written is answered before the input ends', async () => {
    await using process = await sandbox().spawn('while read -r line; do echo "got $line"; done', { stdin: 'pipe' })
    const writer = process.stdin.getWriter()
    const reader = process.stdout.getReader()
    for (const word of ['one', 'two']) {
      await writer.write(`${word}\n`)
      expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe(`got ${word}\n`)
    }
    await writer.close()
    expect((await reader.read()).done).toBe(true)
    expect((await process.wait()).ok).toBe(true)
  })

  it('is killed with its group when disposed of', async () => {
    {
      await using _process = await sandbox().spawn('sleep 303 & sleep 303')
    }
    expect(await running(sandbox(), 'sleep 303')).toBe(0)
  })

  it('runs on when let go of', async () => {
    const process = await sandbox().spawn(['sleep', '304'])
    process.detach()
    expect(await running(sandbox(), 'sleep 304')).toBe(1)
    expect(await process.kill('SIGKILL')).toBe(true)
  })
})
