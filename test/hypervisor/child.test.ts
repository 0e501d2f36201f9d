import { describe, expect, test } from 'vitest'
import { type Launch, startChild } from '../../src/hypervisor/index.ts'
import { WarmcellError } from '../../src/index.ts'
import { openDescriptors, withDescriptors } from '../support/descriptors.ts'

const launch: Launch = {
  id: 'wc-test',
  program: { hostPath: '/bin/true', hostDataPaths: [] },
  args: [],
  pipes: 3,
  opens: ['/dev/null'],
  writes: [],
  reads: [],
  updates: [],
  devices: [],
  limits: { memoryMib: 16, threads: 1, cpus: 1, fileMib: 1 },
}

describe.runIf(process.platform === 'linux')('a child for which descriptors run out at any step', () => {
  test.each(Array.from({ length: 17 }, (_, more) => more))(
    'with %i left: it runs, or nothing of it is left open',
    async (more) => {
      const before = openDescriptors().length
      const outcome = await withDescriptors(more, async () => {
        try {
          const child = await startChild(['/bin/true'], launch, { ownPipes: 1 })
          await child.ended
          return 'ran'
        } catch (error) {
          return WarmcellError.is(error) ? `${error.code} ${error.hint}` : error
        }
      })
      expect(['ran', 'BOOT_FAILED Raise the limit of open files (ulimit -n): a microVM takes about ten.']).toContain(outcome)
      await expect.poll(() => openDescriptors().length).toBe(before)
    },
  )
})
