import { execPath } from 'node:process'
import { afterEach, expect, test, vi } from 'vitest'
import { directLauncher } from '../../src/hypervisor/index.ts'
import { findQemu, QemuHypervisor } from '../../src/hypervisor/qemu/index.ts'
import { Scratch } from '../support/scratch.ts'
import { spec as anywhere } from '../support/vm-spec.ts'

/** With a disk that is there: a descriptor of it is inherited. */
const spec = { ...anywhere, hostRootPath: '/dev/null' }

afterEach(() => {
  vi.unstubAllEnvs()
})

const running = (): AbortSignal => new AbortController().signal

/** A program with QEMU's descriptors and version, that does what the script says. */
async function qemuThat(scratch: Scratch, script: string): Promise<QemuHypervisor> {
  const program = scratch.file('qemu.cjs', `const fs = require('node:fs')\n${script}\n`)
  const start = `case "$1" in --version) echo "QEMU emulator version 10.0.2";; -L) ;; *) exec ${execPath} ${program} "$@";; esac`
  vi.stubEnv('WARMCELL_QEMU', scratch.script('qemu', start))
  return QemuHypervisor.find()
}

const answers = `fs.writeSync(4, '{"QMP": {}}\\n{"return": {}}\\n')`

test('a microVM has its pipes, its console and its log, and ends when it is killed', async () => {
  using scratch = new Scratch()
  const hypervisor = await qemuThat(
    scratch,
    `${answers}
     fs.writeSync(5, 'booting\\r\\n'); fs.writeSync(2, 'a warning\\n'); fs.writeSync(3, 'from the guest ' + Object.keys(process.env).sort())
     setInterval(() => {}, 1000)`,
  )
  expect(hypervisor.name).toBe('QEMU 10.0.2')
  const vm = await hypervisor.start(spec, running())
  const heard: string[] = []
  vm.agentPipe.on('data', (chunk: Buffer) => void heard.push(chunk.toString()))
  // Nothing of this process's environment but what QEMU needs.
  await expect.poll(() => heard.join('')).toMatch(/^from the guest LC_ALL,PATH/)
  expect(heard.join('')).not.toContain('HOME')
  await expect.poll(() => [vm.consoleTail(), vm.logTail()]).toEqual(['booting', 'a warning'])
  expect(vm.pid).toBeGreaterThan(0)
  expect(await Promise.all([vm.kill(), vm.kill(), vm.ended])).toEqual(Array(3).fill({ exitCode: null, signal: 'SIGKILL' }))
  expect(vm.agentPipe.destroyed).toBe(true)
})

test('a QEMU that ends before it answers is told with its own words', async () => {
  using scratch = new Scratch()
  const hypervisor = await qemuThat(scratch, `fs.writeSync(2, 'qemu: no such machine\\n'); process.exit(1)`)
  await expect(hypervisor.start(spec, running())).rejects.toMatchObject({
    code: 'BOOT_FAILED',
    message: 'QEMU 10.0.2 ended before it answered: qemu: no such machine',
  })
})

test('an abort before QEMU answers ends it', async () => {
  using scratch = new Scratch()
  const hypervisor = await qemuThat(scratch, 'setInterval(() => {}, 1000)')
  const abort = new AbortController()
  const starting = hypervisor.start(spec, abort.signal)
  setTimeout(() => abort.abort('enough'), 50)
  await expect(starting).rejects.toBe('enough')
  await expect(hypervisor.start(spec, abort.signal)).rejects.toBe('enough')
})

test('an abort while it is being started ends it too', async () => {
  using scratch = new Scratch()
  await qemuThat(scratch, 'setInterval(() => {}, 1000)')
  const abort = new AbortController()
  const inner = await directLauncher()
  const hypervisor = await QemuHypervisor.of(await findQemu(), {
    launch: async (launch) => {
      const launched = await inner.launch(launch)
      abort.abort('enough')
      return launched
    },
  })
  await expect(hypervisor.start(spec, abort.signal)).rejects.toBe('enough')
})

test('a guest that prints without end keeps the last lines of its console, and no more', async () => {
  using scratch = new Scratch()
  const hypervisor = await qemuThat(
    scratch,
    `${answers}
     for (let line = 0; line < 20000; line++) fs.writeSync(5, 'line ' + line + '\\n')
     process.exit(3)`,
  )
  const vm = await hypervisor.start(spec, running())
  expect(await vm.ended).toEqual({ exitCode: 3, signal: null })
  expect(vm.consoleTail()).toMatch(/line 19999$/)
  expect(vm.consoleTail().length).toBeLessThanOrEqual(16_384)
})
