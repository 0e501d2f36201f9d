/** The real drivers, run on this machine, and sandboxes of a fake pool whose port leads to them. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll } from 'vitest'
import type { Sandbox } from '../../src/index.ts'
import type { FakePool } from '../../src/testing/index.ts'
import { forwardingTo, poolAnsweredBy } from '../sandbox/code/answering.ts'

type Language = 'python' | 'node'

/** Those of this machine, or others of another version: `WARMCELL_TEST_PYTHON`, `WARMCELL_TEST_NODE`. */
const python = process.env.WARMCELL_TEST_PYTHON || 'python3'
const node = process.env.WARMCELL_TEST_NODE || process.execPath
const programs = { python: [python, 'python/driver.py'], node: [node, 'node/driver.cjs'] } as const

export interface Driver extends AsyncDisposable {
  readonly process: ChildProcess
  readonly port: number
}

/** One that listens. @throws with what it printed when it ends instead. */
export async function startDriver(language: Language, modules: string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Driver> {
  const [program, path] = programs[language]
  const script = fileURLToPath(new URL(`../../runtimes/${path}`, import.meta.url))
  const process_ = spawn(program, [script, '0', ...modules], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', ...env },
  })
  let said = ''
  process_.stderr.on('data', (chunk) => {
    said += chunk
  })
  const ended = once(process_, 'close').then(([code]) => {
    throw new Error(`the driver ended with ${code}: ${said}`)
  })
  ended.catch(() => {})
  const [line] = (await Promise.race([once(createInterface(process_.stdout), 'line'), ended])) as [string]
  const port = Number(/^listening on (\d+)$/.exec(line)?.[1])
  const stop = async (): Promise<void> => {
    process_.kill('SIGKILL')
    await ended.catch(() => {})
  }
  return { process: process_, port, [Symbol.asyncDispose]: stop }
}

/** A driver and a pool for the file that calls this; each call of what it returns makes a sandbox whose context is its own. */
export function driverOfThisFile(language: Language): { sandbox: () => Sandbox; driver: () => Driver } {
  let driver: Driver
  let pool: FakePool
  let sandbox: Sandbox
  beforeAll(async () => {
    driver = await startDriver(language)
    pool = poolAnsweredBy(forwardingTo(driver.port))
    sandbox = await pool.createSandbox()
  })
  afterAll(async () => {
    await pool?.close()
    await driver?.[Symbol.asyncDispose]()
  })
  return { sandbox: () => sandbox, driver: () => driver }
}

/** Everything that comes in answer to what is sent, until the driver closes or says the end. */
export async function rawAnswer(port: number, sent: string | Buffer): Promise<Buffer> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  socket.write(sent)
  let got: Buffer = Buffer.alloc(0)
  for await (const chunk of socket) {
    got = Buffer.concat([got, chunk as Buffer])
    if (hasEnd(got)) break
  }
  socket.destroy()
  return got
}

function hasEnd(bytes: Buffer): boolean {
  for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt32BE(at + 1)) {
    if (bytes[at] === 5) return bytes.length >= at + 5 + bytes.readUInt32BE(at + 1)
  }
  return false
}

/** What the Python prints that has the driver's modules at hand. */
export function pythonSays(source: string): string {
  const path = fileURLToPath(new URL('../../runtimes/python', import.meta.url))
  const env = { ...process.env, PYTHONPATH: path, PYTHONDONTWRITEBYTECODE: '1' }
  return execFileSync(python, ['-c', source], { encoding: 'utf8', env })
}

/** Whether that Python can import it. */
export function hasModule(name: string): boolean {
  try {
    execFileSync(python, ['-c', `import ${name}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
