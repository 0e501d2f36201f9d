// What is deployed, by tenant and name: each function with its instances.
import { randomUUID } from 'node:crypto'
import { Counters } from './counters.mjs'
import { Instances } from './instances.mjs'

/** What a deployment may ask for, and what it gets when it says nothing. */
const defaults = { concurrency: 2, timeoutMs: 10_000, idleMs: 30_000 }
const most = { concurrency: 8, timeoutMs: 60_000, idleMs: 600_000 }

/** Part of a URL, a label, a file: letters, digits and dashes. */
const nameShape = /^[a-z0-9][a-z0-9-]{0,62}$/

/** The client asked for what there is not. */
export class BadRequest extends Error {}

export class Functions {
  #pool
  #deployed = new Map()

  constructor(pool) {
    this.#pool = pool
  }

  /** Puts a handler into the place of the one that was there. Invocations under way end with the old one. */
  async deploy(tenant, name, handler, settings) {
    for (const part of [tenant, name])
      if (!nameShape.test(part)) throw new BadRequest(`'${part}' is no name: ${nameShape.source}`)
    if (!handler.subarray(0, 2).equals(Buffer.from('#!')))
      throw new BadRequest('a handler begins with #! and its interpreter, such as #!/bin/sh')
    const chosen = Object.fromEntries(Object.keys(defaults).map((key) => [key, setting(key, settings.get(key))]))
    const deployment = { tenant, name, version: randomUUID(), handler, ...chosen }
    const before = this.#deployed.get(key(tenant, name))
    const counters = before?.counters ?? new Counters()
    this.#deployed.set(key(tenant, name), { deployment, counters, instances: new Instances(this.#pool, deployment, counters) })
    await before?.instances.retire()
    return { tenant, name, version: deployment.version, ...chosen }
  }

  /** Undefined when there is no such function of the tenant. */
  find(tenant, name) {
    return this.#deployed.get(key(tenant, name))?.instances
  }

  async remove(tenant, name) {
    const found = this.#deployed.get(key(tenant, name))
    this.#deployed.delete(key(tenant, name))
    await found?.instances.retire()
    return found !== undefined
  }

  stats() {
    return [...this.#deployed.values()].map(({ deployment: { tenant, name, version, concurrency }, counters, instances }) => ({
      tenant,
      name,
      version,
      concurrency,
      instances: instances.size,
      waiting: instances.waiting,
      ...counters.toJSON(),
    }))
  }
}

function key(tenant, name) {
  return `${tenant}/${name}`
}

function setting(name, text) {
  const value = text === null ? defaults[name] : Number(text)
  if (Number.isSafeInteger(value) && value >= 1 && value <= most[name]) return value
  throw new BadRequest(`${name} is a whole number from 1 to ${most[name]}`)
}
