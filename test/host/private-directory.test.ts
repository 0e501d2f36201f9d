/** A directory that somebody else could have made first is looked at before it is used. */

import { chmodSync, chownSync, mkdirSync, statSync, symlinkSync } from 'node:fs'
import { expect, test } from 'vitest'
import { fileSystemOf, preparePrivateDirectory } from '../../src/host/index.ts'
import { Scratch } from '../support/scratch.ts'

test('it is made for this user alone, and found again', async () => {
  using scratch = new Scratch()
  const hostPath = scratch.join('mine')
  await preparePrivateDirectory(hostPath)
  await preparePrivateDirectory(hostPath)
  expect(statSync(hostPath).mode & 0o7777).toBe(0o700)
})

test('a link, a file, and one that others may use are refused', async () => {
  using scratch = new Scratch()
  mkdirSync(scratch.join('open'))
  chmodSync(scratch.join('open'), 0o755)
  symlinkSync(scratch.hostPath, scratch.join('link'))
  await expect(preparePrivateDirectory(scratch.join('open'))).rejects.toThrow('others may use')
  await expect(preparePrivateDirectory(scratch.join('link'))).rejects.toThrow('is a symbolic link')
  await expect(preparePrivateDirectory(scratch.file('file', ''))).rejects.toThrow('is not a directory')
  await expect(preparePrivateDirectory(scratch.join('a/b'))).rejects.toMatchObject({ code: 'ENOENT' })
})

test.runIf(process.getuid?.() === 0)('one of another user is refused', async () => {
  using scratch = new Scratch()
  mkdirSync(scratch.join('theirs'), { mode: 0o700 })
  chownSync(scratch.join('theirs'), 12_345, 12_345)
  await expect(preparePrivateDirectory(scratch.join('theirs'))).rejects.toThrow('belongs to the user 12345')
})

test('a file system says whether it is memory, and what it has left', async () => {
  expect((await fileSystemOf('/')).freeMib).toBeGreaterThan(0)
  expect(await fileSystemOf('/proc')).toMatchObject({ isTmpfs: false })
})
