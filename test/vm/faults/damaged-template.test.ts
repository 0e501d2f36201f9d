/** A stored template that is damaged while a pool lives on it: what runs goes on, and who comes next is served from one that was built anew. */

import {
  chmodSync,
  closeSync,
  copyFileSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createPool } from '../../../src/index.ts'
import { effort, within } from '../../support/effort.ts'
import { Scratch } from '../../support/scratch.ts'
import { small } from './faulty-pool.ts'

/** With writing allowed for as long as it takes, as only its owner or a broken disk could. */
function damaging(directory: string, change: (memory: string) => void): void {
  chmodSync(directory, 0o755)
  change(join(directory, 'memory'))
  chmodSync(directory, 0o555)
}

/** As whoever is careful would put another file in its place: at one stroke. */
function replaced(memory: string, change: (copy: string) => void): void {
  copyFileSync(memory, `${memory}.copy`)
  chmodSync(`${memory}.copy`, 0o644)
  change(`${memory}.copy`)
  chmodSync(`${memory}.copy`, 0o444)
  renameSync(`${memory}.copy`, memory)
}

const damages: [string, (memory: string) => void][] = [
  ['replaced by a shorter one', (memory) => replaced(memory, (copy) => truncateSync(copy, 1_048_576))],
  ['replaced by one of zeros', (memory) => replaced(memory, (copy) => writeFileSync(copy, Buffer.alloc(128 * 1_048_576)))],
  [
    'replaced by garbage of its size',
    (memory) => replaced(memory, (copy) => writeFileSync(copy, Buffer.alloc(128 * 1_048_576, 0xa5))),
  ],
  ['removed', (memory) => rmSync(memory)],
]
it.each(effort(damages.slice(0, 2), damages))(
  'its memory is %s: clones that run are untouched, and the next create is served',
  async (_name, damage) => {
    using scratch = new Scratch()
    const memoryHome = process.env.WARMCELL_TEMPLATE_DIR ?? ''
    const before = new Set(readdirSync(memoryHome, { recursive: true, encoding: 'utf8' }))
    await using pool = await createPool({ isolation: 'emulated', stateDir: scratch.join('state'), templates: { base: small } })
    const running = await pool.createSandbox()
    await running.exec('echo mine >/tmp/mine')
    const place = readdirSync(memoryHome, { recursive: true, encoding: 'utf8' }).find(
      (path) => !before.has(path) && /\/[0-9a-f]{64}$/.test(path),
    ) as string
    damaging(join(memoryHome, place), damage)
    // Pages that it has not read yet are those of the file that it has mapped.
    const everything =
      'cat /tmp/mine; find / -xdev -type f 2>/dev/null | head -200 | xargs cat >/dev/null; head -c 8388608 /dev/zero | wc -c'
    expect((await running.exec(everything, { user: 'root' })).stdout).toBe('mine\n8388608\n')
    await using next = await within(90_000, 'the next create', pool.createSandbox())
    expect((await next.exec(['echo', 'served'])).stdout).toBe('served\n')
    expect(pool.stats().failures.corrupt).toBe(1)
    expect((await running.exec('cat /tmp/mine')).stdout).toBe('mine\n')
  },
)

it('one flipped byte is found by the next process or pool that begins with it, before it clones', async () => {
  using scratch = new Scratch()
  const memoryHome = process.env.WARMCELL_TEMPLATE_DIR ?? ''
  const before = new Set(readdirSync(memoryHome, { recursive: true, encoding: 'utf8' }))
  const options = { isolation: 'emulated', stateDir: scratch.join('state'), templates: { base: small } } as const
  await using one = await createPool(options)
  const running = await one.createSandbox()
  const place = readdirSync(memoryHome, { recursive: true, encoding: 'utf8' }).find(
    (path) => !before.has(path) && /\/[0-9a-f]{64}$/.test(path),
  ) as string
  damaging(join(memoryHome, place), (memory) =>
    replaced(memory, (copy) => {
      const file = openSync(copy, 'r+')
      writeSync(file, Buffer.from([0xff]), 0, 1, 64 * 1_048_576)
      closeSync(file)
    }),
  )
  await using other = await createPool(options)
  const steps: string[] = []
  await other.updateTemplate('base', small, { onEvent: (event) => event.type === 'step' && steps.push(event.step) })
  expect(steps).toContain('boot')
  await using next = await other.createSandbox()
  expect((await next.exec(['echo', 'served'])).stdout).toBe('served\n')
  expect((await running.exec(['echo', 'untouched'])).stdout).toBe('untouched\n')
})
