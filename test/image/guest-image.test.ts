import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test, vi } from 'vitest'
import { findGuestImage } from '../../src/image/index.ts'
import { Scratch } from '../support/scratch.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

const file = (name: string, sizeBytes: number) => ({ file: name, sha256: '0'.repeat(64), sizeBytes })
const manifest = {
  formatVersion: 1,
  key: 'abc',
  kernel: { ...file('vmlinuz', 3), release: '6.12-test' },
  initramfs: file('initramfs', 4),
  roots: { base: file('base.erofs', 5) },
  kernelArguments: ['quiet'],
}

/** An image of a few bytes, whole unless something else is said. */
function image(scratch: Scratch, content: unknown = manifest): void {
  scratch.file('manifest.json', typeof content === 'string' ? content : JSON.stringify(content))
  for (const [name, sizeBytes] of [
    ['vmlinuz', 3],
    ['initramfs', 4],
    ['base.erofs', 5],
  ] as const)
    scratch.file(name, Buffer.alloc(sizeBytes))
  vi.stubEnv('WARMCELL_IMAGE_DIR', scratch.hostPath)
}

test('a whole image is found, with its paths', async () => {
  using scratch = new Scratch()
  image(scratch)
  expect(await findGuestImage()).toEqual({
    key: 'abc',
    hostDirectory: scratch.hostPath,
    hostKernelPath: scratch.join('vmlinuz'),
    hostInitramfsPath: scratch.join('initramfs'),
    hostBaseRootPath: scratch.join('base.erofs'),
    kernelRelease: '6.12-test',
    kernelArguments: ['quiet'],
  })
})

test('a file that was cut or is missing is damage, and says which', async () => {
  using scratch = new Scratch()
  image(scratch)
  scratch.file('initramfs', 'abc')
  await expect(findGuestImage()).rejects.toMatchObject({
    code: 'IMAGE',
    message: expect.stringContaining('initramfs has 3 bytes instead of 4'),
    hint: expect.stringContaining('--force'),
  })
  image(scratch, { ...manifest, roots: { base: file('gone.erofs', 5) } })
  await expect(findGuestImage()).rejects.toThrow('gone.erofs is missing')
})

test.each([
  ['no JSON', '{'],
  ['of another format', { ...manifest, formatVersion: 2 }],
  ['pointing out of its directory', { ...manifest, kernel: { ...manifest.kernel, file: '../vmlinuz' } }],
  ['without a root', { ...manifest, roots: {} }],
])('a manifest that is %s is refused', async (_, content) => {
  using scratch = new Scratch()
  image(scratch, content)
  await expect(findGuestImage()).rejects.toMatchObject({ code: 'IMAGE', message: expect.stringContaining('cannot be read') })
})

test('the image of these sources is looked for under the key that its build gives it', async () => {
  using scratch = new Scratch()
  vi.stubEnv('WARMCELL_IMAGE_DIR', undefined)
  vi.stubEnv('WARMCELL_CACHE_DIR', scratch.hostPath)
  const build = fileURLToPath(new URL('../../guest-image/build', import.meta.url))
  const key = execFileSync('bash', [build, '--print-source-key'], { encoding: 'utf8' }).trim()
  await expect(findGuestImage()).rejects.toMatchObject({
    code: 'IMAGE',
    message: expect.stringContaining(`${scratch.join('images')}/${key}-`),
    hint: expect.stringContaining('guest-image/build'),
  })
})
