/** Looks into a squashfs disk with Debian's own tools, none of which is the one that made it, and none of which needs to be root. */

import { program } from './run.ts'

export interface DiskEntry {
  /** As `ls -l` shows it: `drwxr-xr-x`. */
  mode: string
  owner: string
  /** Of a file its bytes, of a device `5,1`. */
  size: string
  /** `2024-05-01 10:00`, UTC. */
  mtime: string
  target?: string
}

/** By path, '' for the root. The size of a directory is the format's own business. */
export function entriesOf(hostPath: string): Record<string, DiskEntry> {
  const found: Record<string, DiskEntry> = {}
  for (const line of program('unsquashfs', ['-lln', '-d', '', hostPath]).toString('latin1').split('\n')) {
    const match = /^([-a-z]\S{9}) (\d+\/\d+) +(\d+, *\d+|\d+) (\d{4}-\d\d-\d\d \d\d:\d\d)(.*)$/.exec(line)
    if (match === null) continue
    const [, mode = '', owner = '', size = '', mtime = '', rest = ''] = match
    const [path = '', target] = mode.startsWith('l') ? rest.trimStart().split(' -> ') : [rest.trimStart()]
    const isDirectory = mode.startsWith('d')
    found[path.replace(/^\//, '')] = {
      mode,
      owner,
      size: isDirectory ? '' : size.replace(/ /g, ''),
      mtime,
      ...(target !== undefined && { target }),
    }
  }
  return found
}

export function contentOf(hostPath: string, path: string): string {
  return program('unsquashfs', ['-cat', hostPath, path]).toString('latin1')
}

/** What the tool says of a name: 'Inode number', 'Last modified', … */
export function factsOf(hostPath: string, path: string): Record<string, string> {
  const lines = program('rdsquashfs', ['--stat', path, hostPath]).toString('latin1').split('\n')
  return Object.fromEntries(
    lines
      .filter((line) => line.includes(': '))
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  )
}

/** Extended attributes, as `key=value`, as the tool shows them. */
export function attributesOf(hostPath: string, path: string): string[] {
  return program('rdsquashfs', ['--xattr', path, hostPath]).toString('latin1').split('\n').filter(Boolean).sort()
}
