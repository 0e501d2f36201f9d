import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, linkSync, mkdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { PulledImage, PulledLayer } from '../../../src/image/oci/contract.ts'
import { contentOf, type DiskEntry, entriesOf, factsOf } from '../../support/disk.ts'
import { diskOf } from '../../support/made-image.ts'
import { program } from '../../support/run.ts'
import { Scratch } from '../../support/scratch.ts'

/** Unpacking gives files to other users. */
const isRoot = process.getuid?.() === 0
const rootless = isRoot ? [] : ['--rootless']

it('a disk of several layers holds what umoci unpacks of the same image', { timeout: 60_000 }, async () => {
  using scratch = new Scratch()
  const layout = scratch.join('layout')
  program('umoci', ['init', '--layout', layout])
  program('umoci', ['new', '--image', `${layout}:made`])
  for (const [index, change] of [first, second, third].entries()) {
    const bundle = scratch.join(`bundle${index}`)
    program('umoci', ['unpack', ...rootless, '--image', `${layout}:made`, bundle])
    change(join(bundle, 'rootfs'))
    program('umoci', ['repack', '--image', `${layout}:made`, bundle])
  }
  const unpacked = scratch.join('unpacked')
  program('umoci', ['unpack', ...rootless, '--image', `${layout}:made`, unpacked])

  const image = imageOf(layout)
  expect(image.layers).toHaveLength(3)
  const disk = scratch.join('disk')
  await diskOf(image, disk)
  const { home, 'home/user': homeOfUser, ...found } = entriesOf(disk)
  expect([home?.mode, homeOfUser?.owner], 'what every disk has beside').toEqual(['drwxr-xr-x', '1000/1000'])
  const theirs = entriesBelow(join(unpacked, 'rootfs'))
  if (!isRoot) for (const entry of [...Object.values(found), ...Object.values(theirs)]) entry.owner = ''
  expect(found).toEqual(theirs)
  expect(contentOf(disk, '/etc/config')).toBe('changed')
  expect(factsOf(disk, '/bin/linked')['Inode number']).toBe(factsOf(disk, '/bin/tool')['Inode number'])
})

function first(root: string): void {
  mkdirSync(join(root, 'etc/old/deep'), { recursive: true })
  mkdirSync(join(root, 'bin'))
  mkdirSync(join(root, 'usr/lib'), { recursive: true })
  writeFileSync(join(root, 'etc/config'), 'first')
  writeFileSync(join(root, 'etc/old/deep/file'), 'old')
  writeFileSync(join(root, 'bin/tool'), '#!/bin/sh\n', { mode: 0o755 })
  chmodSync(join(root, 'bin/tool'), 0o4755)
  linkSync(join(root, 'bin/tool'), join(root, 'bin/linked'))
  symlinkSync('usr/lib', join(root, 'lib'))
  writeFileSync(join(root, 'usr/lib/a'), 'a')
  writeFileSync(join(root, 'becomes-a-directory'), '')
}

function second(root: string): void {
  writeFileSync(join(root, 'etc/config'), 'changed')
  rmSync(join(root, 'etc/old'), { recursive: true })
  mkdirSync(join(root, 'etc/old'), { mode: 0o700 })
  writeFileSync(join(root, 'etc/old/new'), 'new')
  rmSync(join(root, 'becomes-a-directory'))
  mkdirSync(join(root, 'becomes-a-directory'))
  writeFileSync(join(root, `usr/lib/${'long'.repeat(60)}`), 'x'.repeat(200_000))
  utimesSync(join(root, 'usr/lib/a'), 1_000_000_000, 1_000_000_000)
}

function third(root: string): void {
  rmSync(join(root, 'usr/lib/a'))
  mkdirSync(join(root, 'usr/lib/a'))
  writeFileSync(join(root, 'usr/lib/a/b'), 'b')
  chmodSync(join(root, 'usr/lib'), 0o711)
  cpSync(join(root, 'etc'), join(root, 'copy'), { recursive: true })
}

/** What is in a directory, as the disk's entries are shown. */
function entriesBelow(hostPath: string): Record<string, DiskEntry> {
  const format = '%P\\t%M\\t%U/%G\\t%s\\t%TY-%Tm-%Td %TH:%TM\\t%l\\n'
  const lines = execFileSync('find', [hostPath, '-printf', format], { env: { ...process.env, TZ: 'UTC', LC_ALL: 'C' } })
  const found: Record<string, DiskEntry> = {}
  for (const line of lines.toString('latin1').split('\n').filter(Boolean)) {
    const [path = '', mode = '', owner = '', size = '', mtime = '', target = ''] = line.split('\t')
    found[path] = { mode, owner, size: mode.startsWith('d') ? '' : size, mtime, ...(target !== '' && { target }) }
  }
  return found
}

/** An image in a layout, as if it had been pulled. */
function imageOf(layout: string): PulledImage {
  const blob = (digest: string) => join(layout, 'blobs', digest.replace(':', '/'))
  const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'))
  const digest: string = json(join(layout, 'index.json')).manifests[0].digest
  const manifest = json(blob(digest))
  const diffIds: string[] = json(blob(manifest.config.digest)).rootfs.diff_ids
  const layers = manifest.layers.map((layer: { digest: string; size: number }, index: number): PulledLayer => {
    return {
      digest: layer.digest,
      diffId: diffIds[index] ?? '',
      compression: 'gzip',
      sizeBytes: layer.size,
      hostPath: blob(layer.digest),
    }
  })
  const config = { env: [], user: '', workingDirectory: '', entrypoint: [], command: [] }
  return { reference: 'made', digest, config, layers }
}
