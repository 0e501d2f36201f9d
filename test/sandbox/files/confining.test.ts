import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { componentsOf, linkRefusal, Tree } from '../../../src/sandbox/files/confine.ts'
import { Scratch } from '../../support/scratch.ts'

/** Few names, so that links meet each other and directories; dots and slashes wherever a guest may put them. */
const step = fc.constantFrom('..', '..', '.', '', 'a', 'b', 'c')
const target = fc.tuple(fc.constantFrom('', '/'), fc.array(step, { maxLength: 6 })).map(([root, steps]) => root + steps.join('/'))
const path = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 4 }).map((names) => names.join('/'))
const node = fc.record({ path, kind: fc.constantFrom('file', 'directory', 'directory', 'symlink', 'symlink'), target })

test('whatever tree is made of what is let through, nothing in it leads out of it', () => {
  fc.assert(
    fc.property(fc.array(node, { maxLength: 24 }), (nodes) => {
      using scratch = new Scratch()
      const top = scratch.join('x/top')
      mkdirSync(top, { recursive: true })
      // What a way out could meet.
      for (const name of ['a', 'b', 'c', 'x/a', 'x/b', 'x/c']) writeFileSync(scratch.join(name), 'outside')
      const tree = new Tree()
      tree.announce('', 'directory')
      const links: [string, string][] = []
      const made: string[] = []
      for (const { path, kind, target } of nodes) {
        const components = tree.announce(path, kind === 'directory' ? 'directory' : 'leaf')
        if ('errno' in components) continue
        const hostPath = join(top, ...components)
        if (kind === 'directory') mkdirSync(hostPath)
        else if (kind === 'file') writeFileSync(hostPath, 'inside', { flag: 'wx' })
        else if (linkRefusal(components.length - 1, target) === undefined) links.push([hostPath, target])
        made.push(hostPath)
      }
      for (const [hostPath, to] of links) symlinkSync(to, hostPath)
      const real = realpathSync(top)
      for (const [hostPath] of links) {
        for (const way of [hostPath, ...['a', 'b', 'c'].map((name) => join(hostPath, name))]) {
          const leadsTo = tryRealpath(way)
          if (leadsTo !== undefined) expect(leadsTo === real || leadsTo.startsWith(real + sep)).toBe(true)
        }
      }
    }),
    { numRuns: 300 },
  )
})

/** Undefined where it leads nowhere. */
function tryRealpath(hostPath: string): string | undefined {
  try {
    return realpathSync(hostPath)
  } catch {
    return undefined
  }
}

test('a path that is taken is its components and nothing else, below the top', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(fc.oneof(step, fc.string())).map((steps) => steps.join('/')),
      ),
      (path) => {
        const components = componentsOf(path)
        if ('errno' in components) return
        expect(components.join('/')).toBe(path)
        const joined = join('/top', ...components)
        expect(joined === '/top' || joined.startsWith('/top/')).toBe(true)
        expect(joined.split('/').length).toBe(components.length + 2)
      },
    ),
    { numRuns: 1_000 },
  )
})

test.each([
  [0, 'a', true],
  [0, 'a/b/c', true],
  [0, './a', true],
  [0, '.', true],
  [0, '..', false],
  [1, '..', true],
  [1, '../a', true],
  [1, './../a', true],
  [1, '../..', false],
  [2, '../../a/', true],
  [2, 'a/..', false],
  [2, '../a/../b', false],
  [9, '/a', false],
  [9, '', false],
  [9, 'x'.repeat(4_096), false],
])('at depth %i, a link to %j: %s', (depth, to, taken) => {
  expect(linkRefusal(depth, to) === undefined).toBe(taken)
})

test('a tree of too many names is refused', () => {
  const tree = new Tree()
  tree.announce('', 'directory')
  let refusal: unknown
  for (let index = 0; refusal === undefined && index < 2_000_000; index++) {
    const answer = tree.announce(`${index}`, 'leaf')
    if ('errno' in answer) refusal = answer
  }
  expect(refusal).toMatchObject({ errno: 'EOVERFLOW' })
})
