/**
 * Which way imports run, as data: a room may import what stands below it in this ladder, never what stands above or beside it.
 * The command line and the testing entry stand outside: they are users of the public API and of the lower rooms respectively.
 */
const ladder = [
  ['index'],
  ['wiring', 'runtimes'],
  ['pool'],
  ['sandbox', 'template'],
  ['machine'],
  ['interpreter'],
  ['agent', 'hypervisor', 'image', 'host'],
  ['mux'],
  ['errors', 'common'],
]

const pathOf = (room) => (['index', 'errors'].includes(room) ? `^src/${room}\\.ts$` : `^src/${room}/`)

/** Pairs inside one rung that may see each other, each with its reason. */
const besides = {
  host: ['hypervisor'], // the probe boots a guest through the hypervisor's interface
  image: ['host'], // locks, digests and private directories are the host's
  hypervisor: [],
  common: ['errors'], // waiting and validating raise the project's own errors
}

const rules = ladder.flatMap((rung, depth) =>
  rung.map((room) => {
    const below = ladder.slice(depth + 1).flat()
    const allowed = [room, ...below, ...(besides[room] ?? [])]
    const forbidden = [...ladder.flat(), 'cli', 'testing'].filter((other) => !allowed.includes(other))
    return {
      name: `${room}-imports-downward`,
      severity: 'error',
      from: { path: pathOf(room) },
      to: { path: forbidden.map(pathOf).join('|') },
    }
  }),
)

module.exports = {
  forbidden: [
    ...rules,
    { name: 'no-cycle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'only-wiring-names-qemu',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(wiring/host\\.ts$|hypervisor/qemu/)' },
      to: { path: '^src/hypervisor/qemu/' },
    },
    {
      name: 'cli-uses-the-public-api',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: { path: '^src/', pathNot: '^src/(index\\.ts$|cli/)' },
    },
    { name: 'nothing-imports-testing', severity: 'error', from: { path: '^src/(?!testing/)' }, to: { path: '^src/testing/' } },
    { name: 'no-orphans', severity: 'error', from: { orphan: true, path: '^src/' }, to: {} },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
      extensions: ['.ts', '.js', '.d.ts'],
    },
  },
}
