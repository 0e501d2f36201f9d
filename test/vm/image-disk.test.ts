import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { findGuestImage } from '../../src/image/index.ts'
import { diskOf, pulledImage } from '../support/made-image.ts'
import { program } from '../support/run.ts'
import { Scratch } from '../support/scratch.ts'
import { directory, file, link, symlink, type TarPart, tarOf } from '../support/tar.ts'
import { poolOfThisFile } from './vm.ts'

/** A layer's tar file with the built-in root's busybox, which needs nothing else to run. */
async function busyboxLayer(scratch: Scratch): Promise<TarPart[]> {
  const { hostBaseRootPath } = await findGuestImage()
  program('fsck.erofs', [`--extract=${scratch.join('base')}`, hostBaseRootPath])
  const busybox = readFileSync(scratch.join('base/bin/busybox'))
  const names = ['sh', 'cat', 'id', 'ls', 'stat', 'find', 'sort', 'touch', 'rm', 'md5sum', 'test', 'echo']
  return [
    ...['bin', 'dev', 'proc', 'sys', 'etc', 'tmp', 'run', 'root', 'home/alice'].map((name) => directory(name)),
    { ...file('bin/busybox', '', { mode: 0o755 }), content: busybox },
    ...names.map((name) => symlink(`bin/${name}`, 'busybox')),
    file('etc/passwd', 'root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n'),
    file('etc/group', 'root:x:0:\nalice:x:1000:\n'),
  ]
}

const content = Buffer.alloc(3_000_000, 'any content that is long enough').toString()
const scratch = new Scratch()
const disk = scratch.join('disk')
const pool = poolOfThisFile({ templates: { image: { root: { hostPath: disk }, user: '0:0' } } })

beforeAll(async () => {
  const base = [
    ...(await busyboxLayer(scratch)),
    file('hidden', 'secret'),
    file('cleared/secret', 'secret'),
    file('big', content, { uid: 1_000, gid: 7, mode: 0o640, mtime: 1_000_000_000 }),
    link('bin/big', 'big'),
    { name: 'null', type: '3', mode: 0o666, major: 1, minor: 3 },
    { name: 'pipe', type: '6', mode: 0o600 },
    file('setuid', '', { mode: 0o4711 }),
    file('latin-\xe9', 'utf-8 here'),
  ]
  const upper = [file('.wh.hidden'), file('cleared/.wh..wh..opq'), file('cleared/new', 'new'), link('third', 'bin/big')]
  await diskOf(
    pulledImage(scratch, { tar: tarOf(...base), compression: 'gzip' }, { tar: tarOf(...upper), compression: 'zstd' }),
    disk,
  )
})
afterAll(() => scratch[Symbol.dispose]())

it('a microVM has the disk of an image as its root, and all is as the layers say', async () => {
  await using sandbox = await pool().createSandbox({ template: 'image' })
  const output = async (command: string) => (await sandbox.exec(command)).output.trim()
  expect((await output("stat -c '%n %F %a %u:%g %h %s %Y' /big /third /setuid")).split('\n')).toEqual([
    '/big regular file 640 1000:7 3 3000000 1000000000',
    '/third regular file 640 1000:7 3 3000000 1000000000',
    '/setuid regular empty file 4711 0:0 1 0 0',
  ])
  expect((await output("stat -c '%n %F %a %t,%T' /null /pipe")).split('\n')).toEqual([
    '/null character special file 666 1,3',
    '/pipe fifo 600 0,0',
  ])
  expect(new Set((await output('stat -c %i /big /bin/big /third')).split('\n')).size).toBe(1)
  expect(await output('ls / | sort')).not.toContain('hidden')
  expect(await output('find /cleared | sort')).toBe('/cleared\n/cleared/new')
  expect(await output('md5sum < /third')).toBe(program('md5sum', [], Buffer.from(content)).toString().trim())
  expect(await output('cat "/latin-é"')).toBe('utf-8 here')
  // The layer over it takes what is written, and the disk's own bytes stay.
  expect(await output('echo more >> /big && rm /cleared/new && touch /cleared/mine && find /cleared')).toBe(
    '/cleared\n/cleared/mine',
  )
  await sandbox.destroy()
  await using another = await pool().createSandbox({ template: 'image' })
  expect((await another.exec('find /cleared | sort && md5sum < /big')).output).toContain('/cleared/new')
})
