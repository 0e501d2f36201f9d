import { execFileSync } from 'node:child_process'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { findGuestImage } from '../../src/image/index.ts'
import { Scratch } from '../support/scratch.ts'

// Whoever runs these tests may have chosen a kernel.
beforeEach(() => {
  vi.stubEnv('WARMCELL_KERNEL', undefined)
})
afterEach(() => {
  vi.unstubAllEnvs()
})

const build = fileURLToPath(new URL('../../guest-image/build', import.meta.url))
const file = (name: string, sizeBytes: number) => ({ file: name, sha256: '0'.repeat(64), sizeBytes })
const manifest = {
  formatVersion: 1,
  key: 'abc',
  kernelFlavour: 'stock',
  kernel: { ...file('vmlinuz', 3), release: '6.12-test', acpi: true },
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
    kernel: 'stock',
    kernelRelease: '6.12-test',
    acpi: true,
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
  ['of a kernel that nobody knows', { ...manifest, kernelFlavour: 'maximal' }],
  ['silent about ACPI', { ...manifest, kernel: { ...file('vmlinuz', 3), release: '6.12-test' } }],
])('a manifest that is %s is refused', async (_, content) => {
  using scratch = new Scratch()
  image(scratch, content)
  await expect(findGuestImage()).rejects.toMatchObject({ code: 'IMAGE', message: expect.stringContaining('cannot be read') })
})

test.each([
  ['stock', true],
  ['minimal', false],
])('the %s kernel is taken when it is asked for, and is said to be it', async (kernel, acpi) => {
  using scratch = new Scratch()
  image(scratch, { ...manifest, kernelFlavour: kernel, kernel: { ...manifest.kernel, acpi } })
  vi.stubEnv('WARMCELL_KERNEL', kernel)
  expect(await findGuestImage()).toMatchObject({ kernel, acpi })
})

test('an image with another kernel than was asked for is refused', async () => {
  using scratch = new Scratch()
  image(scratch)
  vi.stubEnv('WARMCELL_KERNEL', 'minimal')
  await expect(findGuestImage()).rejects.toMatchObject({
    code: 'IMAGE',
    message: expect.stringContaining("has the stock kernel, and WARMCELL_KERNEL is 'minimal'"),
  })
})

test('a kernel that does not exist is refused, with those that do', async () => {
  vi.stubEnv('WARMCELL_KERNEL', 'tiny')
  await expect(findGuestImage()).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(/'tiny'.*'stock' or 'minimal'/),
  })
})

describe('where nobody has chosen a kernel', () => {
  /** A cache in which these sources have been built with such kernels. */
  function cacheWith(scratch: Scratch, ...kernels: string[]): void {
    vi.stubEnv('WARMCELL_IMAGE_DIR', undefined)
    vi.stubEnv('WARMCELL_CACHE_DIR', scratch.hostPath)
    for (const kernel of kernels) {
      const built = execFileSync('bash', [build, '--kernel', kernel, '--print-path'], { encoding: 'utf8' }).trim()
      const name = relative(scratch.hostPath, built)
      scratch.file(`${name}/manifest.json`, JSON.stringify({ ...manifest, kernelFlavour: kernel }))
      scratch.file(`${name}/vmlinuz`, Buffer.alloc(3))
      scratch.file(`${name}/initramfs`, Buffer.alloc(4))
      scratch.file(`${name}/base.erofs`, Buffer.alloc(5))
    }
  }

  test('it is the minimal one where it has been built', async () => {
    using scratch = new Scratch()
    cacheWith(scratch, 'stock', 'minimal')
    expect(await findGuestImage()).toMatchObject({ kernel: 'minimal' })
    vi.stubEnv('WARMCELL_KERNEL', 'stock')
    expect(await findGuestImage()).toMatchObject({ kernel: 'stock' })
  })

  test('it is the stock one where nothing else has been built', async () => {
    using scratch = new Scratch()
    cacheWith(scratch, 'stock')
    expect(await findGuestImage()).toMatchObject({ kernel: 'stock' })
    vi.stubEnv('WARMCELL_KERNEL', 'minimal')
    await expect(findGuestImage()).rejects.toMatchObject({ code: 'IMAGE', hint: expect.stringContaining('--kernel minimal') })
  })
})

test('the image of these sources is looked for under the key that its build gives it', async () => {
  using scratch = new Scratch()
  vi.stubEnv('WARMCELL_IMAGE_DIR', undefined)
  vi.stubEnv('WARMCELL_CACHE_DIR', scratch.hostPath)
  const key = execFileSync('bash', [build, '--print-source-key'], { encoding: 'utf8' }).trim()
  await expect(findGuestImage()).rejects.toMatchObject({
    code: 'IMAGE',
    message: expect.stringContaining(`${scratch.join('images')}/${key}-`),
    hint: expect.stringContaining('guest-image/build'),
  })
})
