/** Code runs in interpreters that were running when the snapshot was taken, on images of Debian's packages. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createPool, type Pool, runtimes, type Sandbox } from '../../src/index.ts'
import { debianImage } from '../support/debian-image.ts'

/** The numbers of one clone that must not be another's, as one text. */
const draws = {
  python: `
import os, random, secrets, ssl, tempfile, uuid
[random.random(), random.getrandbits(64), secrets.token_hex(8), str(uuid.uuid4()), ssl.RAND_bytes(8).hex(), tempfile.mktemp(dir='/'), os.urandom(8).hex()]`,
  node: `
const crypto = require('node:crypto');
[Math.random(), crypto.randomUUID(), crypto.randomBytes(8).toString('hex'), crypto.webcrypto.randomUUID(),
 crypto.randomInt(2 ** 47), crypto.generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x, Buffer.from(crypto.webcrypto.getRandomValues(new Uint8Array(8))).toString('hex')]`,
}

describe('runCode', () => {
  let pool: Pool
  beforeAll(async () => {
    const resources = { memoryMib: 384 }
    pool = await createPool({
      isolation: 'emulated',
      templates: {
        python: { ...runtimes.python, root: { oci: debianImage('python') }, resources },
        node: { ...runtimes.node, root: { oci: debianImage('node') }, resources },
      },
    })
  }, 300_000)
  afterAll(() => pool?.close())

  for (const template of ['python', 'node'] as const) {
    it(`clones draw different random numbers, with ${template}, also when they waited warm`, { timeout: 300_000 }, async () => {
      await pool.resize(template, 1)
      await pool.ready({ template, count: 1 })
      const sandboxes: Sandbox[] = []
      for (let one = 0; one < 3; one++) sandboxes.push(await pool.createSandbox({ template }))
      expect(new Set(sandboxes.map((one) => one.info().origin))).toContain('warm')
      await pool.resize(template, 0)
      const drawn: string[][] = []
      for (const one of sandboxes) {
        const { text, error } = await one.runCode(draws[template])
        expect(error).toBeUndefined()
        drawn.push((text ?? '').split(',').map((word) => word.trim()))
      }
      const [first = [], ...others] = drawn
      expect(first.length).toBeGreaterThan(5)
      for (const [index, word] of first.entries()) for (const other of others) expect(other[index]).not.toBe(word)
      await Promise.all(sandboxes.map((one) => one.destroy()))
    })
  }

  it('the code sees the variables, the directory and the files of its sandbox', { timeout: 300_000 }, async () => {
    const files = { '/tmp/answer.py': 'value = 42\n', '/tmp/answer.cjs': 'module.exports = 42\n' }
    const options = { env: { TENANT: 'alice' }, cwd: '/tmp', files }
    const source = {
      python: 'import os, answer\nprint(os.getcwd(), os.environ["TENANT"], os.getuid())\nanswer.value',
      node: 'console.log(process.cwd(), process.env.TENANT, process.getuid()); require("./answer.cjs")',
    }
    for (const template of ['python', 'node'] as const) {
      await using sandbox = await pool.createSandbox({ template, ...options })
      const result = await sandbox.runCode(source[template])
      expect(result).toMatchObject({ text: '42', stdout: '/tmp alice 1000\n', stderr: '' })
    }
  })

  it('state stays, output streams, time is up, and the context goes on', { timeout: 300_000 }, async () => {
    for (const [template, define, endless, ask] of [
      ['python', 'x = 20', 'print("on")\nwhile True: pass', 'x + 1'],
      ['node', 'const x = 20', 'console.log("on"); for (;;);', 'x + 1'],
    ] as const) {
      await using sandbox = await pool.createSandbox({ template })
      await sandbox.runCode(define)
      const late = await sandbox.runCode(endless, { timeoutMs: 3_000 })
      expect(late).toMatchObject({ timedOut: true, stdout: 'on\n', error: { name: 'TimeoutError' } })
      expect((await sandbox.runCode(ask)).text).toBe('21')
    }
  })

  it('a context that runs out of memory is lost, and the sandbox goes on', { timeout: 300_000 }, async () => {
    await using sandbox = await pool.createSandbox({ template: 'python', resources: { memoryMib: 128 } })
    const { error } = await sandbox.runCode('hog = []\nwhile True: hog.append(bytearray(10_000_000))')
    expect(error).toMatchObject({ name: 'ContextLost', message: expect.stringContaining('no memory left') })
    expect((await sandbox.usage()).oomKills).toBe(1)
    expect((await sandbox.runCode('1 + 1')).text).toBe('2')
  })
})
