import { expect, test } from 'vitest'
import { WarmcellError } from '../../src/index.ts'
import { createFakePool } from '../../src/testing/index.ts'
import { pipePair } from '../../src/testing/pipe.ts'

test('the example in its documentation runs', async () => {
  await using pool = createFakePool({
    programs: {
      python3: async ({ argv, stdout }) => {
        await stdout.write(`ran ${argv[2]}\n`)
        return 0
      },
    },
  })
  await using sandbox = await pool.createSandbox({ tenant: 'alice' })
  expect((await sandbox.exec(['python3', '-c', 'print(1)'])).stdout).toBe('ran print(1)\n')
  pool.guestOf(sandbox).crash()
  await expect(sandbox.exec('true')).rejects.toMatchObject({ code: 'SANDBOX_GONE' })
})

test('its shell does what it knows, and says what it does not', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox({ env: { NAME: 'Ada' } })
  const run = async (script: string): Promise<string> => {
    const { stdout, stderr, exitCode } = await sandbox.exec(script)
    return `${stdout}${stderr}${exitCode}`
  }
  expect(await run('echo "hello $NAME" \'$NAME\' ${NAME}')).toBe('hello Ada $NAME Ada\n0')
  expect(await run('false && echo no; true && echo yes || echo no')).toBe('yes\n0')
  expect(await run('false; echo $?; exit 300')).toBe('1\n44')
  expect(await run('false\nexit')).toBe('1')
  expect(await run('nope')).toBe('sh: nope: not found\n127')
  expect(await run('echo a | cat')).toBe("sh: the fake guest's shell does not know '|'\n2")
  expect(await run('echo a"b"')).toMatch(/does not join/)
  expect((await sandbox.exec(['sh', 'script'])).exitCode).toBe(2)
})

test('files written by a program are there for the next, and for the test', async () => {
  await using pool = createFakePool({
    programs: {
      save: ({ files, argv }) => {
        files.set('/tmp/saved', Buffer.from(argv[1] ?? ''))
        return 0
      },
    },
  })
  await using sandbox = await pool.createSandbox({ files: { '/etc/motd': 'welcome' } })
  expect((await sandbox.exec('save it; cat /tmp/saved /etc/motd /missing')).stdout).toBe('itwelcome')
  expect([...pool.guestOf(sandbox).files.keys()]).toEqual(['/etc/motd', '/tmp/saved'])
})

test('a program that throws exits with 1 and its error', async () => {
  await using pool = createFakePool({
    programs: {
      broken: () => {
        throw new Error('a bug of the test')
      },
    },
  })
  await using sandbox = await pool.createSandbox()
  expect(await sandbox.exec(['broken'])).toMatchObject({ exitCode: 1, stderr: 'Error: a bug of the test\n' })
  expect(await sandbox.exec(['sleep', 'soon'])).toMatchObject({ exitCode: 1 })
})

test('a guest tells what it is, and is gone when its sandbox is', async () => {
  await using pool = createFakePool()
  const sandbox = await pool.createSandbox()
  const guest = pool.guestOf(sandbox)
  guest.print('a line\n')
  expect(guest).toMatchObject({ id: sandbox.id, alive: true, consoleText: expect.stringContaining('a line') })
  expect(guest.identity?.hostname).toBe(sandbox.id)
  await sandbox.destroy()
  expect(guest.alive).toBe(false)
  expect(() => pool.guestOf(sandbox)).toThrow('has ended')
  expect(pool).toMatchObject({ guests: [], guestsStarted: 1 })
})

test('its pipe is asynchronous, bounded, and ends as a socket does', async () => {
  const [one, other] = pipePair()
  const failures: unknown[] = []
  other.on('error', (error) => void failures.push(error))
  let taken = 0
  while (one.write(Buffer.alloc(16_384))) taken += 16_384
  expect(taken).toBeLessThan(1_048_576)
  expect(other.readableLength).toBe(0)
  await new Promise((resolve) => setImmediate(resolve))
  expect(other.readableLength).toBeGreaterThan(0)
  one.destroy()
  const ended = new Promise((resolve) => other.once('end', resolve))
  other.resume()
  await ended
  other.write('into the void')
  await new Promise((resolve) => setTimeout(resolve, 10))
  expect(failures.length).toBe(1)
  expect(WarmcellError.is(failures[0])).toBe(false)
  other.destroy()
})
