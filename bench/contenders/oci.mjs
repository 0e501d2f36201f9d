// A container by a low-level OCI runtime, from the bundle that the runtime itself proposes.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runUntimed } from './program.mjs'

const bundle = (place) => join(place.hostDirectory, 'bundle')
const state = (place) => join(place.hostDirectory, 'state')
const idOf = (number) => `warmcell-bench-${process.pid}-${number}`

/** @returns {import('./contender.mjs').Recipe} */
function ociRuntime(program) {
  return {
    name: program,
    what: `${program} run, a busybox root, its own default spec`,
    debianPackage: program,
    program,
    needsRoot: true,
    async prepare(place) {
      await mkdir(bundle(place))
      await mkdir(state(place))
      await runUntimed(program, ['spec'], { cwd: bundle(place) })
      const hostConfigPath = join(bundle(place), 'config.json')
      const config = JSON.parse(await readFile(hostConfigPath, 'utf8'))
      config.process.terminal = false
      config.process.args = ['/bin/true']
      config.root.path = place.hostRootPath
      await writeFile(hostConfigPath, JSON.stringify(config))
    },
    command: (place, number) => [program, ['--root', state(place), 'run', '--bundle', bundle(place), idOf(number)]],
    async cleanup(place) {
      // What a run that failed may have left; `run` removes its own.
      const left = JSON.parse((await runUntimed(program, ['--root', state(place), 'list', '--format', 'json'])) || 'null') ?? []
      for (const { id } of left) await runUntimed(program, ['--root', state(place), 'delete', '--force', id])
    },
  }
}

export const crun = ociRuntime('crun')
export const runc = ociRuntime('runc')
