import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ProgramTree } from '../../../src/host/confinement/tree.ts'
import { Scratch } from '../../support/scratch.ts'

const program = (hostPath: string, hostDataPaths: string[] = []) => ({ hostPath, hostDataPaths })

/** A program of its own, so that a test may replace it. */
function compile(scratch: Scratch, name: string, ...options: string[]): string {
  const source = scratch.file(`${name}.c`, '#include <stdio.h>\nint main(void) { puts("it runs"); return 0; }\n')
  execFileSync('cc', [...options, '-o', scratch.join(name), source])
  return scratch.join(name)
}

test('a program stands in it with its libraries and data, for anybody to read and nobody to write', async () => {
  using scratch = new Scratch()
  const before = process.umask(0o077)
  try {
    const data = scratch.file('rom', 'firmware', 0o600)
    const tree = await ProgramTree.prepare(scratch.join('programs'), program(compile(scratch, 'one'), [data]), ['/bin/ls'])
    const entries = readdirSync(tree.hostPath, { recursive: true, withFileTypes: true })
    expect(entries.map(({ name }) => name)).toEqual(expect.arrayContaining(['loader', 'one', 'ls', 'libc.so.6', '0']))
    for (const entry of entries) {
      const { mode } = statSync(`${entry.parentPath}/${entry.name}`)
      expect([entry.name, mode & 0o777]).toEqual([entry.name, entry.isDirectory() ? 0o755 : 0o555])
    }
    expect(tree.mounts).toEqual([
      [tree.hostPath, '/program'],
      [`${tree.hostPath}/data/0`, data],
    ])
    expect(tree.command('/bin/ls')).toEqual(['/program/loader', '--library-path', '/program/lib', '/program/bin/ls'])
  } finally {
    process.umask(before)
  }
})

test('it runs from there, without the libraries of the host', async () => {
  using scratch = new Scratch()
  const hostPath = compile(scratch, 'one')
  const tree = await ProgramTree.prepare(scratch.join('programs'), program(hostPath), [])
  const [loader = '', ...words] = tree.command(hostPath).map((word) => word.replace(/^\/program/, tree.hostPath))
  expect(spawnSync(loader, words, { encoding: 'utf8' }).stdout).toBe('it runs\n')
})

test('one that is linked statically needs no loader', async () => {
  using scratch = new Scratch()
  const hostPath = compile(scratch, 'alone', '-static')
  const tree = await ProgramTree.prepare(scratch.join('programs'), program(hostPath), [])
  expect(tree.command(hostPath)).toEqual(['/program/bin/alone'])
  expect(readdirSync(tree.hostPath)).toEqual(['bin'])
})

test('it is made once, also by many at a time, and anew when the program is replaced', async () => {
  using scratch = new Scratch()
  const hostPath = compile(scratch, 'one')
  const prepare = (): Promise<ProgramTree> => ProgramTree.prepare(scratch.join('programs'), program(hostPath), [])
  const trees = await Promise.all([prepare(), prepare(), prepare()])
  expect(new Set(trees.map((tree) => tree.hostPath)).size).toBe(1)
  expect(readdirSync(scratch.join('programs'))).toHaveLength(1)
  const made = statSync(trees[0]?.hostPath as string).ctimeMs
  expect(statSync((await prepare()).hostPath).ctimeMs).toBe(made)
  compile(scratch, 'one', '-O2')
  expect((await prepare()).hostPath).not.toBe(trees[0]?.hostPath)
})

test('what a process that was killed has left half made is cleared away', async () => {
  using scratch = new Scratch()
  const half = scratch.join('programs/0123.4194303-1-000000000000.89ab')
  mkdirSync(half, { recursive: true, mode: 0o700 })
  chmodSync(scratch.join('programs'), 0o700)
  await ProgramTree.prepare(scratch.join('programs'), program(compile(scratch, 'one')), [])
  expect(existsSync(half)).toBe(false)
})

test.each([
  ['a script', (scratch: Scratch) => scratch.script('qemu', 'exec real-qemu "$@"'), 'but a script'],
  ['not there', (scratch: Scratch) => scratch.join('nothing'), 'ENOENT'],
  [
    'short of a library',
    (scratch: Scratch) => {
      writeFileSync(scratch.join('lost.c'), 'int lost(void) { return 1; }\n')
      execFileSync('cc', ['-shared', '-o', scratch.join('liblost.so'), scratch.join('lost.c')])
      writeFileSync(scratch.join('main.c'), 'int lost(void); int main(void) { return lost(); }\n')
      execFileSync('cc', ['-o', scratch.join('main'), scratch.join('main.c'), `-L${scratch.hostPath}`, '-llost'])
      return scratch.join('main')
    },
    'needs liblost.so, which is not there',
  ],
])('one that is %s cannot stand alone, and it is said why', async (_, make, message) => {
  using scratch = new Scratch()
  await expect(ProgramTree.prepare(scratch.join('programs'), program(make(scratch)), [])).rejects.toThrow(message)
})
