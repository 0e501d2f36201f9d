// warmcell as the suite uses it: one pool per kind of guest kernel, each with a state directory of its own that the run removes.
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createPool, doctor } from 'warmcell'

export const template = 'bench'
const resources = { memoryMib: 128 }

/** Until warm stock is made, which for the first time includes its template. */
const readyTimeoutMs = 120_000
const settlePollMs = 5

/** A kind of guest kernel, and how to open pools of it. */
export class Flavour {
  /** The name of its rows: the kernel that needs no build has the plain one. */
  subject
  #kernel
  #hostDirectory
  #stateDir

  constructor(kernel, image, hostDirectory) {
    this.#kernel = kernel
    this.#hostDirectory = hostDirectory
    this.image = image
    this.subject = kernel === 'stock' ? 'warmcell' : `warmcell, ${kernel} kernel`
  }

  /** A pool whose template is built once per run, with more in it where `spec` says so. `stateDir` is for those that want to see it built. */
  async pool({ warm, stateDir, spec, ...options } = {}) {
    this.#stateDir ??= await mkdtemp(join(this.#hostDirectory, 'state-'))
    const templates = { [template]: { resources, ...spec, ...(warm === undefined ? {} : { warm }) } }
    return withKernel(this.#kernel, () => createPool({ templates, stateDir: stateDir ?? this.#stateDir, ...options }))
  }

  /** A state directory in which no template has been built yet. */
  async emptyStateDir() {
    const stateDir = await mkdtemp(join(this.#hostDirectory, 'empty-'))
    return { stateDir, remove: () => rm(stateDir, { recursive: true, force: true }) }
  }
}

/** The kernels, of those wanted, whose guest image is there; and why the others are not measured. */
export async function findFlavours(kernels, hostDirectory) {
  const flavours = []
  const missing = []
  for (const kernel of kernels) {
    const { status, detail } = await withKernel(kernel, imageCheck)
    if (status !== 'pass') missing.push(`the ${kernel} kernel is not measured: ${detail}`)
    else if (flavours.some(({ image }) => image === detail))
      missing.push(`the ${kernel} kernel is not measured: it has no image of its own`)
    else flavours.push(new Flavour(kernel, detail, hostDirectory))
  }
  return { flavours, missing }
}

async function imageCheck() {
  const { checks } = await doctor()
  return checks.find(({ name }) => name === 'guest image')
}

/** Which image is used is looked up while a pool is made, by the environment. */
async function withKernel(kernel, work) {
  const before = process.env.WARMCELL_KERNEL
  process.env.WARMCELL_KERNEL = kernel
  try {
    return await work()
  } finally {
    if (before === undefined) delete process.env.WARMCELL_KERNEL
    else process.env.WARMCELL_KERNEL = before
  }
}

/** Opens a pool per flavour, waits for its warm stock, and closes all of them whatever happens. */
export async function withPools(flavours, options, work) {
  const opened = []
  try {
    for (const flavour of flavours) {
      const pool = await flavour.pool(options)
      opened.push({ subject: flavour.subject, flavour, pool })
      if (options.warm) await refilled(pool)
    }
    return await work(opened)
  } finally {
    await Promise.all(opened.map(({ pool }) => pool.close()))
  }
}

/** Resolves when the stock is full again and nothing is being made, so that no refill slows the next turn. */
export async function refilled(pool, count) {
  await pool.ready({ template, timeoutMs: readyTimeoutMs, ...(count === undefined ? {} : { count }) })
  await quiet(pool)
}

export async function quiet(pool) {
  while (pool.stats().booting > 0) await new Promise((resolve) => setTimeout(resolve, settlePollMs))
}

/** A sandbox for one piece of work; it is destroyed whatever happens. */
export async function withSandbox(pool, work, options = {}) {
  const sandbox = await pool.createSandbox({ template, ...options })
  try {
    return await work(sandbox)
  } finally {
    await sandbox.destroy()
  }
}

/** The first programs of a clone are translated as they are met; what follows measures the steady state. */
export async function exercise(sandbox, times = 5) {
  for (let i = 0; i < times; i++) await mustSucceed(sandbox.exec(['true']))
}

/** @throws when the command did not end with 0 */
export async function mustSucceed(running) {
  const result = await running
  if (!result.ok) throw new Error(`the command ended with ${result.exitCode}: ${result.output}`)
  return result
}
