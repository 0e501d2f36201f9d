import { describe, expect, test } from 'vitest'
import { runtimeVectors } from '../interpreter/vectors.ts'
import { driverOfThisFile, rawAnswer, startDriver } from './drivers.ts'

const { sandbox, driver } = driverOfThisFile('node')

test.each(runtimeVectors().filter(({ language }) => language === 'node'))('golden: $name', async ({ request, answer }) => {
  expect(await rawAnswer(driver().port, `${request}\n`)).toEqual(answer)
})

describe('values', () => {
  test('what one run declares, the next finds, and may declare again', async () => {
    await sandbox().runCode('const x = 20; let y; class A {}; function f() { return x }')
    expect((await sandbox().runCode('y = f() + 1; y')).text).toBe('21')
    expect((await sandbox().runCode('const x = 30\nclass A {}\nx')).text).toBe('30')
    expect(await sandbox().runCode('undefined')).not.toHaveProperty('text')
  })

  test('contexts are processes of their own', async () => {
    await sandbox().runCode('var mine = 1', { context: 'a' })
    expect((await sandbox().runCode('typeof mine', { context: 'b' })).text).toBe("'undefined'")
    expect((await sandbox().runCode('mine', { context: 'a' })).text).toBe('1')
  })

  test.each([
    ['NaN', 'NaN'],
    ['10n', '10n'],
    ['null', 'null'],
    ['-0', '-0'],
    ['"a"', "'a'"],
    ['{ a: 1 }', '{ a: 1 }'],
    ['(() => 1)', '[Function (anonymous)]'],
    ['new Map([[1, 2]])', 'Map(1) { 1 => 2 }'],
    ['await Promise.resolve(5)', '5'],
    ['await new Promise((done) => setTimeout(done, 5, "late"))', "'late'"],
    ['[1] instanceof Array && new Error("x") instanceof Error', 'true'],
  ])('%s', async (source, text) => {
    expect((await sandbox().runCode(source)).text).toBe(text)
  })

  test('plain data comes as JSON as well, and display takes values and bundles', async () => {
    const { results } = await sandbox().runCode(
      'display({ "text/html": "<b>é</b>", "image/png": Buffer.from("x") }, 1); ({ a: [1] })',
    )
    expect(results.map(({ mime, data }) => [mime, data])).toEqual([
      ['text/plain', '<text/html, image/png>'],
      ['text/html', '<b>é</b>'],
      ['image/png', 'eA=='],
      ['text/plain', '1'],
      ['text/plain', '{ a: [ 1 ] }'],
      ['application/json', '{"a":[1]}'],
    ])
    expect((await sandbox().runCode('const ring = {}; ring.me = ring; ring')).results).toHaveLength(1)
  })

  test('ten megabytes are a result', async () => {
    expect((await sandbox().runCode('"x".repeat(10_000_000)')).text?.length).toBe(10_000_002)
  })

  test.each([
    ['require', 'require("node:path").sep', "'/'"],
    ['import()', '(await import("node:path")).sep', "'/'"],
    ['import of names', 'import { sep, join as glue } from "node:path"\nglue("a", sep, "b")', "'a/b'"],
    ['import of a default', "import path, { sep } from 'node:path';\npath.sep === sep", 'true'],
    ['import of all', 'import * as path from "node:path"\npath.sep', "'/'"],
    ['the word in a text', '"import(" + `import x from "y"`', `'import(import x from "y"'`],
  ])('%s', async (_, source, text) => {
    expect(await sandbox().runCode(source)).toMatchObject({ text, stderr: '' })
  })

  test('variables of one run end with it', async () => {
    expect((await sandbox().runCode('process.env.ONCE', { env: { ONCE: 'yes' } })).text).toBe("'yes'")
    expect((await sandbox().runCode('process.env.ONCE')).text).toBeUndefined()
  })
})

describe('output', () => {
  test('comes as it is printed, from the console and from programs', async () => {
    const source = 'console.log("one"); require("child_process").execSync("echo two", { stdio: "inherit" }); console.error("err")'
    expect(await sandbox().runCode(source)).toMatchObject({ stdout: 'one\ntwo\n', stderr: 'err\n' })
  })

  test('100 MB at a slow reader: all is counted, the tail is kept', { timeout: 60_000 }, async () => {
    const result = await sandbox().runCode(
      'for (let i = 0; i < 1600; i++) process.stdout.write("x".repeat(62_500)); console.log("end")',
    )
    expect(result.stdout.endsWith('xend\n')).toBe(true)
    expect(result).toMatchObject({ truncated: true, droppedBytes: 100_000_004 - 10 * 1_024 * 1_024 })
  })

  test('what is printed between two runs comes with the next', async () => {
    await sandbox().runCode('setTimeout(() => console.log("between"), 20); 0', { context: 'late' })
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect((await sandbox().runCode('1', { context: 'late' })).stdout).toBe('between\n')
  })
})

describe('errors', () => {
  test('are data, with the places in the code and no others', async () => {
    const { error } = await sandbox().runCode('function f() { throw new TypeError("bad") }\nf()', { context: 'err' })
    expect(error).toEqual({
      name: 'TypeError',
      message: 'bad',
      traceback: 'TypeError: bad\n    at f (cell-1:1:22)\n    at cell-1:2:1\n',
    })
  })

  test.each([
    ['syntax', 'let y = = 2', 'SyntaxError', /^cell-\d+:1\nlet y = = 2\n {8}\^\n\nSyntaxError: /],
    ['no error at all', 'throw { a: 1 }', 'Error', /^Uncaught { a: 1 }/],
    ['a promise that fails', 'await Promise.reject(new RangeError("r"))', 'RangeError', /^RangeError: r/],
    ['a cause', 'throw new Error("a", { cause: "b" })', 'Error', /\[cause\]: 'b'/],
    ['an exit that says why', 'process.exit(3)', 'Exit', /^$/],
    ['endless recursion', 'const deep = () => deep(); deep()', 'RangeError', /Maximum call stack/],
  ])('%s', async (_, source, name, traceback) => {
    const { error } = await sandbox().runCode(source)
    expect(error?.name).toBe(name)
    expect(error?.traceback).toMatch(traceback)
  })

  test('what nobody catches is printed, and ends nothing', async () => {
    const source =
      'var kept = 1; Promise.reject(new Error("lost")); setTimeout(() => { throw new Error("thrown") }, 1); await new Promise((done) => setTimeout(done, 50))'
    const { stderr, error } = await sandbox().runCode(source)
    expect(stderr).toMatch(/Uncaught Error: lost\n[\s\S]*Uncaught Error: thrown/)
    expect(error).toBeUndefined()
    expect((await sandbox().runCode('kept')).text).toBe('1')
    expect((await sandbox().runCode('process.exit(); kept = 2')).error).toBeUndefined()
  })

  test('a context that ends is told, and the others live on', async () => {
    await sandbox().runCode('var kept = 1', { context: 'other' })
    const lost = await sandbox().runCode('console.log("before"); process.kill(process.pid, "SIGKILL"); for (;;);', {
      context: 'dying',
    })
    expect(lost).toMatchObject({
      stdout: 'before\n',
      error: { name: 'ContextLost', message: expect.stringMatching(/no memory left/) },
    })
    expect((await sandbox().runCode('typeof kept', { context: 'dying' })).text).toBe("'undefined'")
    expect((await sandbox().runCode('kept', { context: 'other' })).text).toBe('1')
  })
})

describe('an interrupt', () => {
  test.each([
    ['a loop', 'for (;;);'],
    ['an await', 'await new Promise(() => {})'],
    ['a loop after what had settled', 'await 1; for (;;);'],
    ['a program', 'require("child_process").execSync("sleep 600")'],
    ['a value that is shown for ever', '({ [require("util").inspect.custom]() { for (;;); } })'],
    ['a flood', 'for (;;) console.log("x".repeat(1000))'],
  ])('ends %s, and leaves the context as it was', async (_, source) => {
    await sandbox().runCode('var kept = 1', { context: 'stopped' })
    const result = await sandbox().runCode(`console.log("printed");\n${source}`, {
      context: 'stopped',
      timeoutMs: 300,
      retain: 'head',
    })
    expect(result).toMatchObject({ timedOut: true, error: { name: 'TimeoutError' }, stdout: expect.stringMatching(/^printed\n/) })
    expect((await sandbox().runCode('kept', { context: 'stopped' })).text).toBe('1')
  })

  test('of an await that nothing will ever end leaves the context as it was, however much garbage is collected', async () => {
    const context = 'collecting'
    await sandbox().runCode('var junk; setInterval(() => { junk = Array.from({ length: 2e4 }, () => ({})) }, 1).unref()', {
      context,
    })
    const awaiting = await sandbox().runCode('await new Promise(() => {})', { context, timeoutMs: 400 })
    expect(awaiting).toMatchObject({ timedOut: true, error: { name: 'TimeoutError' } })
    const later = 'await new Promise((done) => setTimeout(done, 200)); junk.length'
    expect(await sandbox().runCode(later, { context })).toMatchObject({ text: '20000' })
  })

  test('of a loop that a timer has begun cannot be heeded: the context is ended, and that is said', async () => {
    const source = 'await new Promise((done) => setTimeout(done, 10)); for (;;);'
    const result = await sandbox().runCode(source, { context: 'deaf', timeoutMs: 200 })
    expect(result).toMatchObject({ timedOut: true, error: { name: 'ContextLost' } })
    expect((await sandbox().runCode('1', { context: 'deaf' })).text).toBe('1')
  })

  test.each(Array.from({ length: 12 }, (_, ms) => ms))('after %i ms leaves nothing for the next run', async (timeoutMs) => {
    await sandbox()
      .runCode('for (let i = 0; i < 5e6; i++);', { timeoutMs: timeoutMs + 0.5 })
      .catch((error) => {
        expect(error.code).toBe('TIMEOUT')
      })
    expect(await sandbox().runCode('1')).toMatchObject({ text: '1' })
  })
})

describe('random numbers', () => {
  test('are drawn from the kernel, in the forms that Node has', async () => {
    const source = `
const assert = require('node:assert')
const crypto = require('node:crypto')
const sum = (bytes) => new Uint8Array(bytes.buffer ?? bytes).reduce((a, b) => a + b, 0)
for (let i = 0; i < 2000; i++) { const one = Math.random(); assert(one >= 0 && one < 1) }
assert.equal(crypto.randomBytes(16).length, 16)
crypto.randomBytes(8, (error, bytes) => assert.equal(bytes.length, 8))
const words = new Uint32Array(100); crypto.randomFillSync(words, 50, 50)
assert.equal(sum(words.subarray(0, 50).slice()), 0); assert(sum(words.slice(50)) > 0)
await new Promise((done) => crypto.randomFill(words, 10, () => done()))
assert.equal(sum(words.slice(0, 10)), 0)
for (let i = 0; i < 200; i++) { const one = crypto.randomInt(5, 8); assert([5, 6, 7].includes(one)) }
assert.match(crypto.randomUUID(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
assert.match(globalThis.crypto.randomUUID(), /-4/)
assert(sum(globalThis.crypto.getRandomValues(new Uint8Array(64))) > 0)
assert(sum(crypto.getRandomValues(new Uint16Array(64))) > 0)
const { randomUUID } = await import('node:crypto')
assert.equal(randomUUID, crypto.randomUUID)
assert.throws(() => crypto.randomBytes(-1), RangeError)
assert.throws(() => crypto.randomInt(5, 5), RangeError)
assert.throws(() => globalThis.crypto.getRandomValues(new Float32Array(1)))
'done'`
    expect(await sandbox().runCode(source, { context: 'random' })).toMatchObject({ text: "'done'", stderr: '' })
  })
})

test.each([
  ['no JSON', 'GET / HTTP/1.1\n'],
  ['another version', '{"version":2,"source":"1"}\n'],
  ['a context that is a path', '{"version":1,"source":"1","context":"../x"}\n'],
  ['a variable that is none', '{"version":1,"source":"1","env":{"A":5}}\n'],
  ['a line without end', 'x'.repeat(8 * 2 ** 20)],
])('a request that is %s is refused, and nothing else suffers', async (_, sent) => {
  expect(String(await rawAnswer(driver().port, sent))).toContain('BadRequest')
  expect((await sandbox().runCode('1')).text).toBe('1')
})

test('modules that are named are loaded before it listens; one that is missing is told', async () => {
  await expect(startDriver('node', ['./not-there'])).rejects.toThrow(/Cannot find module '.\/not-there'/)
})
