import type { Options } from 'tsup'

const options: Options = {
  entry: {
    index: 'src/index.ts',
    testing: 'src/testing/index.ts',
    cli: 'src/cli/main.ts',
    // Beside the chunk that starts it as a thread.
    'emulator-worker': 'src/sandbox/pty/emulator-worker.js',
  },
  format: 'esm',
  target: 'node20',
  platform: 'node',
  // TypeScript 6 deprecates the baseUrl that tsup's declaration step sets for itself.
  dts: { entry: { index: 'src/index.ts', testing: 'src/testing/index.ts' }, compilerOptions: { ignoreDeprecations: '6.0' } },
  sourcemap: true,
  splitting: true,
  clean: true,
}

export default options
