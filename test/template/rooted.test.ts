import { describe, expect, test } from 'vitest'
import type { ImageConfig } from '../../src/image/index.ts'
import { resolveTemplate } from '../../src/template/resolve.ts'
import { withImage } from '../../src/template/rooted.ts'
import type { TemplateSpec } from '../../src/template/template.ts'

const nothing: ImageConfig = { env: [], user: '', workingDirectory: '', entrypoint: [], command: [] }

function made(spec: Omit<TemplateSpec, 'root'>, config: Partial<ImageConfig>) {
  const template = resolveTemplate('t', { ...spec, root: { oci: 'example.org/x:1' } })
  return withImage(template, { hostPath: '/cache/disks/k.img', key: 'k', config: { ...nothing, ...config } })
}

test('the disk takes the place of the name', () => {
  expect(made({}, {}).root).toEqual({ hostPath: '/cache/disks/k.img', key: 'k' })
})

describe('what the image says holds', () => {
  const config = {
    env: ['PATH=/opt/bin:/bin', 'LANG=C.UTF-8', 'EQUALS=a=b', 'EMPTY=', 'LANG=C'],
    user: 'app',
    workingDirectory: '/srv/app',
    entrypoint: ['/entry', '-x'],
    command: ['serve'],
  }

  test('where the template says nothing: variables, user, directory, and its entrypoint with its command is started', () => {
    const { env, user, cwd, start } = made({}, config)
    expect(env).toEqual({ PATH: '/opt/bin:/bin', LANG: 'C', EQUALS: 'a=b', EMPTY: '' })
    expect({ user, cwd, start }).toEqual({ user: 'app', cwd: '/srv/app', start: ['/entry', '-x', 'serve'] })
  })

  test('and not where it does', () => {
    const spec = { env: { LANG: 'de', EMPTY: undefined }, user: 'root', cwd: '/', start: 'sleep 9' }
    const { env, user, cwd, start } = made(spec, config)
    expect(env).toEqual({ PATH: '/opt/bin:/bin', LANG: 'de', EQUALS: 'a=b', EMPTY: undefined })
    expect({ user, cwd, start }).toEqual({ user: 'root', cwd: '/', start: 'sleep 9' })
  })

  test('an empty start starts nothing', () => {
    expect(made({ start: [] }, config).start).toBeUndefined()
  })

  test('nothing is started before where every sandbox boots by itself', () => {
    expect(made({ sharing: 'none' }, config).start).toBeUndefined()
  })
})

describe('an image that names no user', () => {
  test('is run without privileges, in a home that every such disk has', () => {
    const { env, user, cwd, start } = made({}, { env: ['HOME=/srv'] })
    expect({ user, cwd, start }).toEqual({ user: '1000:1000', cwd: '/home/user', start: undefined })
    expect(env).toEqual({ HOME: '/srv', USER: 'user', LOGNAME: 'user' })
  })

  test('is run in the directory that it names', () => {
    expect(made({}, { workingDirectory: '/data' }).cwd).toBe('/data')
  })

  test('is run as whom the template names, whose home is in the image', () => {
    const { env, user, cwd } = made({ user: 'root' }, {})
    expect({ env, user, cwd }).toEqual({ env: {}, user: 'root', cwd: '' })
  })
})

test('a line that is no variable is left out, and no name touches a prototype', () => {
  const { env } = made({ user: 'root' }, { env: ['=x', 'NOTHING', '__proto__=1', 'constructor=2'] })
  expect(Object.entries(env)).toEqual([
    ['__proto__', '1'],
    ['constructor', '2'],
  ])
  expect(Object.getPrototypeOf(env)).toBe(Object.prototype)
})
