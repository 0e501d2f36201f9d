import { describe, expect, test } from 'vitest'
import type { CodeResult } from '../../src/index.ts'
import { runtimeVectors } from '../interpreter/vectors.ts'
import { driverOfThisFile, hasModule, pythonSays, rawAnswer, startDriver } from './drivers.ts'

const { sandbox, driver } = driverOfThisFile('python')

test.each(runtimeVectors().filter(({ language }) => language === 'python'))('golden: $name', async ({ request, answer }) => {
  expect(await rawAnswer(driver().port, `${request}\n`)).toEqual(answer)
})

describe('values', () => {
  test('what one run defines, the next finds; the last expression is the value', async () => {
    expect(await sandbox().runCode('x = 20')).toMatchObject({ results: [], stdout: '' })
    const result = await sandbox().runCode('y = x + 1\ny')
    expect(result).toMatchObject({ text: '21', results: [{ mime: 'text/plain', data: '21' }], truncated: false, timedOut: false })
    expect(result).not.toHaveProperty('error')
    expect((await sandbox().runCode('_ + 1')).text).toBe('22')
    expect((await sandbox().runCode('y;')).text).toBeUndefined()
    expect((await sandbox().runCode('None')).text).toBeUndefined()
  })

  test('contexts do not see each other, and run at the same time', async () => {
    await sandbox().runCode('mine = 1', { context: 'a' })
    expect((await sandbox().runCode('mine', { context: 'b' })).error?.name).toBe('NameError')
    expect((await sandbox().runCode('mine', { context: 'a' })).text).toBe('1')
    const first = sandbox().runCode(
      'import os, time\nread, write = os.pipe()\npath = f"/proc/{os.getpid()}/fd/{write}"\nprint(path, flush=True)\nos.read(read, 1)',
      {
        context: 'a',
        onStdout: (path) => void sandbox().runCode(`open(${JSON.stringify(path.trim())}, "wb").write(b"x")`, { context: 'b' }),
      },
    )
    expect((await first).text).toBe("b'x'")
  })

  test('runs of one context are one after the other', async () => {
    await sandbox().runCode('import time\nlog = []', { context: 'line' })
    const source = 'log.append("in")\ntime.sleep(0.05)\nlog.append("out")'
    await Promise.all([1, 2, 3].map(() => sandbox().runCode(source, { context: 'line' })))
    expect((await sandbox().runCode('" ".join(log)', { context: 'line' })).text).toBe("'in out in out in out'")
  })

  test('what a value can look like comes with it, images in base64', async () => {
    const source = `
class Rich:
    def __repr__(self): return 'rich'
    def _repr_html_(self): return '<b>é</b>'
    def _repr_png_(self): return b'\\x89PNG'
    def _repr_json_(self): return {'a': [1]}
    def _repr_svg_(self): raise ValueError('cannot')
Rich()`
    const { results, stderr, text } = await sandbox().runCode(source)
    expect(text).toBe('rich')
    expect(results).toEqual([
      { mime: 'text/plain', data: 'rich' },
      { mime: 'text/html', data: '<b>é</b>' },
      { mime: 'image/png', data: 'iVBORw==' },
      { mime: 'application/json', data: '{"a": [1]}' },
    ])
    expect(stderr).toContain('_repr_svg_ of Rich failed: ValueError: cannot')
  })

  test('display shows values on the way, and what is said to be a bundle as it is', async () => {
    const { results, text } = await sandbox().runCode('display(1, "a")\ndisplay({"text/html": "<i>"}, raw=True)\n2')
    expect(results.map(({ mime, data }) => [mime, data])).toEqual([
      ['text/plain', '1'],
      ['text/plain', "'a'"],
      ['text/plain', '<text/html>'],
      ['text/html', '<i>'],
      ['text/plain', '2'],
    ])
    expect(text).toBe('2')
  })

  test('ten megabytes are a result; more than 64 MiB are left out, and said to be', async () => {
    const { text } = await sandbox().runCode('"x" * 10_000_000')
    expect(text?.length).toBe(10_000_002)
    const large = await sandbox().runCode('display({"text/html": "x" * 70_000_000}, raw=True)\n5')
    expect(large).toMatchObject({ truncated: true, text: '5', droppedBytes: 0 })
  })

  test('a result that leaves in one piece frees the way for the next', () => {
    // A socket takes so much at once only now and then: this one is told to.
    const said = pythonSays(`
import selectors, socket
from warmcell_driver.channel import Channel, WAITING_BYTES_MAX
near, far = socket.socketpair()
near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * WAITING_BYTES_MAX)
rooms = []
channel = Channel(selectors.DefaultSelector(), near, None, lambda: rooms.append(len(channel.waiting)), None)
channel.cork()
channel.send(bytes(WAITING_BYTES_MAX))
full = not channel.has_room
channel.uncork()
while channel.waiting:
    far.recv(WAITING_BYTES_MAX)
    channel.flush()
print(full, len(rooms), rooms[-1] < WAITING_BYTES_MAX)`)
    expect(said).toBe('True 1 True\n')
  })

  test('the code lives in a module that is called __main__', async () => {
    const source = `
import pickle, dataclasses, typing
@dataclasses.dataclass
class Point:
    x: int
    next: 'Point | None' = None
typing.get_type_hints(Point)
assert pickle.loads(pickle.dumps(Point(1))) == Point(1)
__name__, Point(2)`
    expect((await sandbox().runCode(source, { context: 'main' })).text).toBe("('__main__', Point(x=2, next=None))")
  })

  test('await stands anywhere, and the loop goes on with the next run', async () => {
    await sandbox().runCode('import asyncio\nq = asyncio.Queue()\nt = asyncio.create_task(q.put(5))\nawait asyncio.sleep(0)', {
      context: 'aio',
    })
    expect((await sandbox().runCode('await q.get()', { context: 'aio' })).text).toBe('5')
    expect((await sandbox().runCode('asyncio.run(asyncio.sleep(0, 7))', { context: 'aio' })).text).toBe('7')
    expect((await sandbox().runCode('1 + await asyncio.sleep(0, 7)', { context: 'aio' })).text).toBe('8')
  })

  test('variables of one run end with it; those of the sandbox stay with the context', async () => {
    const show = 'import os; os.environ.get("ONCE")'
    expect((await sandbox().runCode(show, { env: { ONCE: 'yes' } })).text).toBe("'yes'")
    expect((await sandbox().runCode(show)).text).toBeUndefined()
    await sandbox().runCode('os.environ["ONCE"] = "mine"')
    expect((await sandbox().runCode(show, { env: { ONCE: undefined } })).text).toBeUndefined()
    expect((await sandbox().runCode(show)).text).toBe("'mine'")
  })
})

describe('output', () => {
  test('comes as it is printed, from Python, from programs and from C', async () => {
    const pieces: string[] = []
    const source = 'import os, sys\nprint("one")\nos.system("echo two")\nos.write(1, b"three\\n")\nprint("err", file=sys.stderr)'
    const { stdout, stderr } = await sandbox().runCode(source, { onStdout: (text) => void pieces.push(text) })
    expect(stdout).toBe('one\ntwo\nthree\n')
    expect(pieces.join('')).toBe(stdout)
    expect(stderr).toBe('err\n')
  })

  test('streams: the first line is here while the code runs on', async () => {
    const controller = new AbortController()
    const endless = sandbox().runCode('import time\nprint("first")\ntime.sleep(600)', {
      signal: controller.signal,
      onStdout: () => controller.abort(new Error('seen')),
    })
    await expect(endless).rejects.toThrow('seen')
  })

  test('characters that are cut in the pipe are whole here', async () => {
    const pieces: string[] = []
    const source = 'import os\nfor byte in "é€😀".encode(): os.write(1, bytes([byte]))'
    await sandbox().runCode(source, { onStdout: (text) => void pieces.push(text) })
    expect(pieces.join('')).toBe('é€😀')
    expect(pieces.join('')).not.toContain('\ufffd')
  })

  test('100 MB at a slow reader: all is counted, the tail is kept', { timeout: 60_000 }, async () => {
    const result = await sandbox().runCode('import os\nfor _ in range(1600): os.write(1, b"x" * 62_500)\nprint("end")')
    expect(result.stdout.endsWith('xend\n')).toBe(true)
    expect(result).toMatchObject({ truncated: true, droppedBytes: 100_000_004 - 10 * 1_024 * 1_024 })
  })

  test('what a thread prints after its run comes with the next', async () => {
    const source = `
import threading
go, done = threading.Event(), threading.Event()
def late():
    go.wait()
    print('late')
    done.set()
threading.Thread(target=late).start()`
    await sandbox().runCode(source, { context: 'late' })
    const { stdout } = await sandbox().runCode('print("now")\ngo.set()\ndone.wait()', { context: 'late' })
    expect(stdout).toBe('now\nlate\n')
    await sandbox().runCode('threading.Timer(0.05, lambda: (print("between"), done.set())).start()\ndone.clear()', {
      context: 'late',
    })
    expect((await sandbox().runCode('done.wait()', { context: 'late' })).stdout).toBe('between\n')
  })

  test('a stream that was closed, or put in place of stdout, ends nothing', async () => {
    await sandbox().runCode('import sys\nsys.stdout.close()', { context: 'closed' })
    expect((await sandbox().runCode('1', { context: 'closed' })).text).toBe('1')
  })
})

describe('errors', () => {
  test('are data, with the lines of the code and no others', async () => {
    const { error } = await sandbox().runCode('def f(n):\n    return 1 / n\n\nf(0)', { context: 'err' })
    expect(error).toMatchObject({ name: 'ZeroDivisionError', message: 'division by zero' })
    // Python 3.13 marks what failed in the line, where 3.11 does so only in a part of it.
    expect(error?.traceback.replaceAll(/^ +[~^]+\n/gm, '')).toMatch(
      /^Traceback .*\n {2}File "<cell 1>", line 4, in <module>\n {4}f\(0\)\n {2}File "<cell 1>", line 2, in f\n/,
    )
    expect(error?.traceback).not.toContain('warmcell')
    const later = await sandbox().runCode('f(0)', { context: 'err' })
    expect(later.error?.traceback).toContain('return 1 / n')
  })

  test.each([
    ['syntax', 'x = = 1', 'SyntaxError', /File "<cell \d+>", line 1\n {4}x = = 1\n/],
    ['input', 'input("name")', 'EOFError', /pass values in the code itself/],
    [
      'a text that cannot be had',
      'class E(Exception):\n  def __str__(self): raise OSError\nraise E',
      'E',
      /E: <exception str\(\) failed>/,
    ],
    ['endless recursion', 'def f(): f()\nf()', 'RecursionError', /Previous line repeated/],
    ['an error after an error', 'try: 1/0\nexcept Exception: raise KeyError("k")', 'KeyError', /During handling/],
    ['a message of megabytes', 'raise ValueError("x" * 5_000_000)', 'ValueError', /^…/],
    ['a value that cannot be shown', 'class R:\n  def __repr__(self): return 1 / 0\nR()', 'ZeroDivisionError', /__repr__/],
    ['an exit that says why', 'exit("no")', 'SystemExit', /^$/],
    ['NUL', '\0', 'SyntaxError', /null byte/],
    ['a surrogate', '"\ud800"', 'UnicodeEncodeError', /surrogate/],
  ])('%s', async (_, source, name, traceback) => {
    const { error } = await sandbox().runCode(source)
    expect(error?.name).toBe(name)
    expect(error?.traceback).toMatch(traceback)
  })

  test('exit ends the run and not the context', async () => {
    await sandbox().runCode('kept = 1')
    expect((await sandbox().runCode('exit()\nkept = 2')).error).toBeUndefined()
    expect((await sandbox().runCode('kept')).text).toBe('1')
  })

  test.each([
    ['exits', 'import os; os._exit(3)', /exited with 3/],
    ['crashes', 'import os, signal; os.kill(os.getpid(), signal.SIGSEGV)', /ended by SIGSEGV/],
    ['is killed', 'import os, signal; os.kill(os.getpid(), signal.SIGKILL)', /no memory left/],
  ])('a context that %s is told, and the others live on', async (_, source, message) => {
    await sandbox().runCode('kept = 1', { context: 'other' })
    const [lost, waiting] = await Promise.all([
      sandbox().runCode(`print("before", flush=True)\n${source}`, { context: 'dying' }),
      sandbox().runCode('"fresh"', { context: 'dying' }),
    ])
    expect(lost).toMatchObject({ stdout: 'before\n', error: { name: 'ContextLost', message: expect.stringMatching(message) } })
    expect(waiting.text).toBe("'fresh'")
    expect((await sandbox().runCode('kept', { context: 'other' })).text).toBe('1')
  })

  test('a child that the code forks is no second answer', async () => {
    const source = 'import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)\nprint("child" if pid == 0 else "parent")\n1'
    expect(await sandbox().runCode(source)).toMatchObject({ text: '1', stdout: 'child\nparent\n' })
    expect((await sandbox().runCode('2')).text).toBe('2')
  })
})

describe('an interrupt', () => {
  test.each([
    ['a loop', 'while True: pass'],
    ['a sleep', 'import time; time.sleep(600)'],
    ['a call into C', 'import select; select.select([], [], [])'],
    ['a lock', 'import threading; lock = threading.Lock(); lock.acquire(); lock.acquire()'],
    ['a program', 'import os; os.system("sleep 600")'],
    ['an await', 'import asyncio; await asyncio.sleep(600)'],
    ['a loop that awaits', 'import asyncio\nwhile True: await asyncio.sleep(0)'],
    ['a loop after an await', 'import asyncio\nawait asyncio.sleep(0)\nwhile True: pass'],
    ['a value that is shown for ever', 'class R:\n  def __repr__(self):\n    while True: pass\nR()'],
    ['a flood', 'while True: print("x" * 1000)'],
  ])('ends %s, and leaves the context as it was', async (_, source) => {
    await sandbox().runCode('kept = 1', { context: 'stopped' })
    const result = await sandbox().runCode(`print("printed")\n${source}`, { context: 'stopped', timeoutMs: 300, retain: 'head' })
    expect(result).toMatchObject({ timedOut: true, stdout: expect.stringMatching(/^printed\n/) })
    expect(['TimeoutError', undefined]).toContain(result.error?.name)
    expect((await sandbox().runCode('kept', { context: 'stopped' })).text).toBe('1')
  })

  test('that code does not heed ends its context, and says so', async () => {
    const source = 'import time\nwhile True:\n  try: time.sleep(1)\n  except KeyboardInterrupt: pass'
    const result = await sandbox().runCode(source, { context: 'deaf', timeoutMs: 200 })
    expect(result).toMatchObject({
      timedOut: true,
      error: { name: 'ContextLost', message: expect.stringContaining('interrupted') },
    })
    expect((await sandbox().runCode('1', { context: 'deaf' })).text).toBe('1')
  })

  test('by a signal rejects with its reason, and what waited behind goes on', async () => {
    const controller = new AbortController()
    const aborted = sandbox().runCode('print("on", flush=True)\nwhile True: pass', {
      signal: controller.signal,
      onStdout: () => controller.abort(new RangeError('mine')),
    })
    const behind = sandbox().runCode('5')
    await expect(aborted).rejects.toThrow(RangeError)
    expect((await behind).text).toBe('5')
  })

  test('of a run that waits leaves the one before alone', async () => {
    let second: Promise<CodeResult> | undefined
    const first = sandbox().runCode('import time\nprint("begun")\ntime.sleep(1); "done"', {
      onStdout: () => {
        second = sandbox().runCode('never = 1', { timeoutMs: 100 })
      },
    })
    expect(await first).toMatchObject({ text: "'done'" })
    expect(await second).toMatchObject({ timedOut: true, stdout: '', error: { name: 'TimeoutError' } })
    expect((await first).text).toBe("'done'")
    expect((await sandbox().runCode('never')).error?.name).toBe('NameError')
  })

  test.each(Array.from({ length: 12 }, (_, ms) => ms))('after %i ms leaves nothing for the next run', async (timeoutMs) => {
    await sandbox()
      .runCode('for _ in range(20000): pass', { timeoutMs: timeoutMs + 0.5 })
      .catch((error) => {
        expect(error.code).toBe('TIMEOUT')
      })
    expect((await sandbox().runCode('1')).text).toBe('1')
  })
})

describe('limits', () => {
  test('of contexts: one more than 32 is refused, in words', async () => {
    await using own = await startDriver('python')
    const request = (context: string): string => `${JSON.stringify({ version: 1, context, source: '1' })}\n`
    for (let one = 1; one < 32; one++) await rawAnswer(own.port, request(`c${one}`))
    expect(String(await rawAnswer(own.port, request('c32')))).toContain('TooManyContexts')
    expect(String(await rawAnswer(own.port, request('c31')))).not.toContain('TooMany')
  })

  test('of runs that wait: one more than 32 is refused, in words', async () => {
    const first = sandbox().runCode('import time; time.sleep(1)', { context: 'busy' })
    const more = Array.from({ length: 40 }, () => sandbox().runCode('1', { context: 'busy' }))
    const errors = (await Promise.all(more)).map(({ error }) => error?.name)
    await first
    expect(errors.filter((name) => name === 'ContextBusy').length).toBeGreaterThan(0)
    expect(errors.filter((name) => name === undefined).length).toBeGreaterThanOrEqual(32)
  })

  test.each([
    ['no JSON', 'GET / HTTP/1.1\n'],
    ['no object', '[]\n'],
    ['another version', '{"version":2,"source":"1"}\n'],
    ['no source', '{"version":1}\n'],
    ['a context that is a path', '{"version":1,"source":"1","context":"../x"}\n'],
    ['a variable that is none', '{"version":1,"source":"1","env":{"A=":"1"}}\n'],
    ['deep JSON', `${'['.repeat(200_000)}\n`],
    ['a line without end', 'x'.repeat(8 * 2 ** 20)],
  ])('a request that is %s is refused, and nothing else suffers', async (_, sent) => {
    expect(String(await rawAnswer(driver().port, sent))).toContain('BadRequest')
    expect((await sandbox().runCode('1')).text).toBe('1')
  })
})

test('modules that are named are imported before it listens; one that is missing is told', async () => {
  await using own = await startDriver('python', ['decimal'])
  const request = { version: 1, source: 'import sys; "decimal" in sys.modules' }
  expect(String(await rawAnswer(own.port, `${JSON.stringify(request)}\n`))).toContain('True')
  await expect(startDriver('python', ['not_there'])).rejects.toThrow(/'not_there' cannot be imported before the snapshot/)
})

test('a context draws its random numbers when it first runs, and not with those that were forked with it', async () => {
  const draw = 'import random; random.random()'
  const [a, b] = await Promise.all(['r1', 'r2'].map((context) => sandbox().runCode(draw, { context })))
  expect(a?.text).not.toBe(b?.text)
  await sandbox().runCode('random.seed(1)', { context: 'r1' })
  expect((await sandbox().runCode('random.random()', { context: 'r1' })).text).toBe('0.13436424411240122')
})

const plots = hasModule('matplotlib')
test.skipIf(!plots)(
  `plots that are open at the end are results${plots ? '' : ' (python3-matplotlib is not installed)'}`,
  { timeout: 60_000 },
  async () => {
    const { results, error } = await sandbox().runCode('import matplotlib.pyplot as plt\nplt.plot([1, 2]);', { context: 'plots' })
    expect(error).toBeUndefined()
    expect(results.map(({ mime }) => mime)).toEqual(['text/plain', 'image/png'])
    expect(results[1]?.data.startsWith('iVBORw0KGgo')).toBe(true)
    expect((await sandbox().runCode('plt.get_fignums()', { context: 'plots' })).text).toBe('[]')
  },
)

const tables = hasModule('pandas')
test.skipIf(!tables)(`tables are HTML${tables ? '' : ' (python3-pandas is not installed)'}`, { timeout: 60_000 }, async () => {
  const { results } = await sandbox().runCode('import pandas\npandas.DataFrame({"a": [1]})', { context: 'tables' })
  expect(results.map(({ mime }) => mime)).toEqual(['text/plain', 'text/html'])
})
