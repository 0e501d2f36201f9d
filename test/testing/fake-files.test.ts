import { expect, test } from 'vitest'
import { createFakePool } from '../../src/testing/index.ts'

test('what a test puts into the map is there for the sandbox, and the other way round', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox({ files: { '/srv/created': 'c' } })
  const guest = pool.guestOf(sandbox)
  guest.files.set('/srv/app/main.js', Buffer.from('x'))
  expect((await sandbox.files.list('/srv', { depth: 2 })).map(({ path, type }) => `${type} ${path}`)).toEqual([
    'directory /srv/app',
    'file /srv/app/main.js',
    'file /srv/created',
  ])
  await sandbox.files.write('/srv/app/more', 'y')
  expect(Buffer.from(guest.files.get('/srv/app/more') ?? []).toString()).toBe('y')
  expect((await sandbox.exec('cat /srv/app/more')).stdout).toBe('y')
  guest.files.clear()
  expect(await sandbox.files.exists('/srv/app/main.js')).toBe(false)
})

test('links are followed as a real guest follows them', async () => {
  await using pool = createFakePool()
  await using sandbox = await pool.createSandbox()
  const { files } = sandbox
  const { mkdtemp, rm, symlink, writeFile } = await import('node:fs/promises')
  const directory = await mkdtemp('/tmp/warmcell-fake-links-')
  await Promise.all([
    writeFile(`${directory}/real`, 'content'),
    symlink('real', `${directory}/link`),
    symlink('loop', `${directory}/loop`),
    symlink('/srv', `${directory}/out`),
  ])
  await files.upload(directory, '/t')
  await rm(directory, { recursive: true })
  expect(await files.read('/t/link')).toBe('content')
  await files.write('/t/link', 'changed')
  expect(await files.read('/t/real')).toBe('changed')
  expect((await files.stat('/t/link')).type).toBe('symlink')
  await files.write('/t/out/in-srv', '')
  expect(await files.exists('/srv/in-srv')).toBe(true)
  await expect(files.read('/t/loop')).rejects.toMatchObject({ errno: 'ELOOP' })
  await files.remove('/t/link')
  expect(await files.read('/t/real')).toBe('changed')
})

test('what is asked about files can be let fail at its step', async () => {
  await using pool = createFakePool({ onGuestStep: (guest, step) => step === 'ReadTree' && guest.crash() })
  await using sandbox = await pool.createSandbox()
  await expect(sandbox.files.download('/srv', '/tmp/warmcell-never')).rejects.toMatchObject({
    code: 'SANDBOX_GONE',
    reason: 'crash',
  })
})
