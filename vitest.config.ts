import { defineConfig, type ViteUserConfig } from 'vitest/config'

const shared = { setupFiles: ['test/support/leak-check.ts'], environment: 'node' as const, pool: 'forks' as const }

const config: ViteUserConfig = defineConfig({
  test: {
    coverage: { include: ['src/**'], exclude: ['src/cli/**'], reporter: ['text-summary'] },
    projects: [
      { test: { ...shared, name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/vm/**'], testTimeout: 20_000 } },
      // Emulated boots take seconds each and two cores are all a small CI machine has: one file at a time.
      {
        test: {
          ...shared,
          name: 'vm',
          include: ['test/vm/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
export default config
