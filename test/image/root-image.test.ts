import { mkdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { rootFormatOf } from '../../src/image/index.ts'
import { Scratch } from '../support/scratch.ts'

/** A disk image that is nothing but its magic number. */
function imageWith(offset: number, bytes: number[]): Buffer {
  const image = Buffer.alloc(4_096)
  image.set(bytes, offset)
  return image
}

test('a disk image is what its superblock says', async () => {
  using scratch = new Scratch()
  expect(await rootFormatOf(scratch.file('a', imageWith(1_024, [0xe2, 0xe1, 0xf5, 0xe0])))).toBe('erofs')
  expect(await rootFormatOf(scratch.file('b', imageWith(1_080, [0x53, 0xef])))).toBe('ext4')
  expect(await rootFormatOf(scratch.file('c', imageWith(0, [0x68, 0x73, 0x71, 0x73])))).toBe('squashfs')
})

test('anything else is refused: other formats, too short, a directory, nothing there', async () => {
  using scratch = new Scratch()
  mkdirSync(scratch.join('directory'))
  const paths = [
    scratch.file('qcow2', Buffer.from('QFI\xfb'.padEnd(4_096, '\0'), 'latin1')),
    scratch.file('short', 'x'),
    scratch.file('empty', ''),
    scratch.join('directory'),
    scratch.join('missing'),
  ]
  for (const path of paths)
    await expect(rootFormatOf(path)).rejects.toMatchObject({ code: 'IMAGE', message: expect.stringContaining(path) })
  await expect(rootFormatOf(paths[0] ?? '')).rejects.toMatchObject({ hint: expect.stringContaining('mkfs.erofs') })
})
