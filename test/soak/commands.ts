/** What tenants, and fate, do to a pool: each command with how often it is chosen, and what must come of it. */

import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { listMicrovms } from '../../src/index.ts'
import { vmProcesses } from '../vm/vm.ts'
import { type Life, must, type World } from './world.ts'

export interface SoakCommand {
  readonly name: string
  readonly weight: number
  run(world: World): Promise<void>
}

const tenants = ['alice', 'bob', 'carol', 'dave']
const templates = ['base', 'base', 'rolling']

/** What a create may come to where the budget is full, the tenant has enough, or what was made for it was killed. */
const createCodes = ['POOL_EXHAUSTED', 'TENANT_LIMIT']
const strayCodes = ['BOOT_FAILED', 'GUEST_UNREACHABLE']

async function create(world: World): Promise<void> {
  const tenant = world.random.of(tenants)
  const canary = world.newCanary(tenant)
  const abort = new AbortController()
  const givenUp = world.random.chance(0.25)
  const timer = givenUp ? setTimeout(() => abort.abort(canary), world.random.whole(0, 150)) : undefined
  const options = { tenant, template: world.random.of(templates), env: { CANARY: canary }, files: { canary } }
  try {
    const sandbox = await world.pool.createSandbox({ ...options, signal: abort.signal })
    must(sandbox.tenant === tenant, `${sandbox.id} is of ${sandbox.tenant} instead of ${tenant}`)
    const life = world.add(sandbox, tenant, canary)
    life.files.set('canary', canary)
  } catch (error) {
    if (error === canary) return
    world.accept(error, 'a create', undefined, ...createCodes, ...(world.recentlyStray ? strayCodes : []))
  } finally {
    clearTimeout(timer)
  }
}

/** Of a sandbox's own work: what fails because of what was done to it is as it should be. */
function ofSomeone(work: (life: Life, world: World) => Promise<void>, ...codes: string[]): (world: World) => Promise<void> {
  return async (world) => {
    const life = world.someone()
    if (life === undefined) return
    try {
      await work(life, world)
    } catch (error) {
      world.accept(error, `a call to ${life.sandbox.id}`, life, ...codes)
    }
  }
}

const exec = ofSomeone(async ({ sandbox, canary }, { random }) => {
  const word = `${canary} ${random.next()}`
  const code = random.whole(0, 40)
  const result = await sandbox.exec(`cat; echo "$CANARY" >&2; exit ${code}`, { stdin: word })
  must(
    result.stdout === word && result.stderr === `${canary}\n`,
    `an exec of ${sandbox.id} printed '${result.output.slice(0, 200)}'`,
  )
  must(result.exitCode === code, `an exec of ${sandbox.id} exited with ${result.exitCode} instead of ${code}`)
})

const timeout = ofSomeone(async ({ sandbox }) => {
  const { timedOut } = await sandbox.exec('sleep 300', { timeoutMs: 200, killGraceMs: 0 })
  must(timedOut, `a time limit of ${sandbox.id} was not said`)
  // Where it could not even be started by then.
}, 'TIMEOUT')

const abortExec = ofSomeone(async ({ sandbox }, { random }) => {
  const signal = AbortSignal.timeout(random.whole(0, 200))
  const outcome = await sandbox.exec('sleep 300', { signal, killGraceMs: 0 }).catch((error: unknown) => error)
  if (outcome !== signal.reason) throw outcome
})

const spawnAndKill = ofSomeone(async ({ sandbox }, { random }) => {
  await using process = await sandbox.spawn('sleep 300 & sleep 300')
  if (random.chance(0.3)) return
  await process.kill(random.of(['SIGKILL', 'SIGTERM']))
  must((await process.wait()).signal !== null, `a process of ${sandbox.id} that was killed exited by itself`)
})

const flood = ofSomeone(async ({ sandbox }, { random }) => {
  await using process = await sandbox.spawn(['yes', sandbox.id], { retain: 'none' })
  const reader = process.stdout.getReader()
  const first = Buffer.from((await reader.read()).value ?? []).toString()
  must(first.startsWith(sandbox.id), `a flood of ${sandbox.id} began with '${first.slice(0, 40)}'`)
  await delay(random.whole(0, 500))
})

const files = ofSomeone(async (life, { random }) => {
  const { sandbox, canary } = life
  const path = `/tmp/file-${life.serial++}`
  const data = canary.repeat(random.whole(1, 10_000))
  await sandbox.files.write(path, data)
  must((await sandbox.files.read(path)) === data, `a file of ${sandbox.id} is not what was written`)
  const known = random.of([...life.files])
  must((await sandbox.files.read(known[0])) === known[1], `'${known[0]}' of ${sandbox.id} has changed`)
  if (random.chance(0.5)) await sandbox.files.remove(path)
  else await sandbox.files.rename(path, `${path}-kept`)
  if (life.serial % 8 === 0) await sandbox.exec('rm -f /tmp/file-*-kept')
})

const abortWrite = ofSomeone(async (life, { random }) => {
  const { sandbox, canary } = life
  const path = `/tmp/aborted-${life.serial++}`
  const signal = AbortSignal.timeout(random.whole(0, 30))
  const outcome = await sandbox.files.write(path, canary.repeat(30_000), { signal }).catch((error: unknown) => error)
  if (outcome !== undefined && outcome !== signal.reason) throw outcome
  // Whole or not at all.
  if (await sandbox.files.exists(path)) {
    must((await sandbox.files.stat(path)).size === canary.length * 30_000, `'${path}' of ${sandbox.id} is half written`)
    await sandbox.files.remove(path)
  }
})

const terminal = ofSomeone(async ({ sandbox, canary }) => {
  await using pty = await sandbox.pty.create({ command: ['sh'] })
  await pty.write('echo "[$CANARY]"; exit\n')
  let text = ''
  for await (const chunk of pty) text += Buffer.from(chunk).toString()
  must(text.includes(`[${canary}]`), `a terminal of ${sandbox.id} showed '${text.slice(-200)}'`)
})

const port = ofSomeone(async (life) => {
  const { sandbox, canary } = life
  const number = 10_000 + life.serial++
  await using server = await sandbox.spawn(['nc', '-l', '-p', String(number), '-e', 'cat'])
  await sandbox.ports.waitFor(number)
  const connection = await sandbox.ports.connect(number)
  connection.write(canary)
  for await (const chunk of connection) {
    must(canary.startsWith(String(chunk)), `a port of ${sandbox.id} answered '${String(chunk).slice(0, 100)}'`)
    break
  }
  connection.destroy()
  await server.kill('SIGKILL')
})

/** Nothing of anybody else is where a tenant can look. */
const look = ofSomeone(async ({ sandbox, canary }) => {
  const { stdout } = await sandbox.exec(
    "{ env; cat /proc/[0-9]*/environ; grep -rh 'canary-' /tmp /home /root /srv /dev/shm /etc ; } 2>/dev/null | grep -ao 'canary-[a-z]*-[0-9]*-end' | sort -u",
    { user: 'root' },
  )
  const found = stdout.split('\n').filter((line) => line !== '')
  must(
    found.every((word) => word === canary),
    `${sandbox.id} has ${canary}, and found ${found.join(', ')}`,
  )
})

const usage = ofSomeone(async ({ sandbox }) => {
  const { memoryBytes, memoryLimitBytes, uptimeMs } = await sandbox.usage()
  must(memoryBytes <= memoryLimitBytes && uptimeMs >= 0, `the usage of ${sandbox.id} is more than its limit`)
})

async function destroy(world: World): Promise<void> {
  const life = world.someone()
  if (life === undefined) return
  const { sandbox } = life
  const busy = world.random.chance(0.5)
    ? Array.from({ length: 5 }, () =>
        sandbox.exec('sleep 300').catch((error: unknown) => world.accept(error, `an exec of ${sandbox.id}`, life)),
      )
    : []
  if (busy.length > 0) await delay(world.random.whole(0, 30))
  if (life.harm !== 'crashed') life.harm = 'destroyed'
  await Promise.all([sandbox.destroy(), sandbox.destroy(), ...busy])
  must(vmProcesses(sandbox.id).length === 0, `${sandbox.id} is destroyed, and its process is there`)
}

function signal(id: string, name: NodeJS.Signals): void {
  for (const pid of vmProcesses(id)) {
    try {
      process.kill(pid, name)
    } catch {
      // It ended meanwhile.
    }
  }
}

async function crash(world: World, name: 'SIGKILL' | 'SIGSTOP'): Promise<void> {
  const life = world.someone()
  if (life === undefined) return
  const { sandbox } = life
  life.harm = 'crashed'
  const waiting = sandbox.exec('sleep 300').then(
    () => must(false, `an exec of ${sandbox.id} outlived it`),
    (error: unknown) => world.accept(error, `an exec of ${sandbox.id}`, life),
  )
  signal(sandbox.id, name)
  await waiting
  must(sandbox.state === 'crashed' || sandbox.state === 'destroyed', `${sandbox.id} had its ${name}, and is ${sandbox.state}`)
}

/** No crash: it goes on before anybody believes that it will not. */
const stopForAMoment = ofSomeone(async (life) => {
  const { sandbox } = life
  signal(sandbox.id, 'SIGSTOP')
  await delay(300)
  // Somebody may have stopped it for good meanwhile: letting it go on would be letting it live.
  if (life.harm !== 'crashed') signal(sandbox.id, 'SIGCONT')
  must((await sandbox.exec(['echo', 'on'])).stdout === 'on\n', `${sandbox.id} did not go on`)
})

/** One that is nobody's: warm, parked, or in the making. */
async function killStray(world: World): Promise<void> {
  const known = new Set(world.pool.listSandboxes().flatMap(({ id }) => vmProcesses(id)))
  const strays = vmProcesses().filter((pid) => !known.has(pid))
  if (strays.length === 0) return
  const pid = world.random.of(strays)
  try {
    world.stray(/wc-[\w-]+/.exec(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))?.[0] ?? '')
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended meanwhile.
  }
}

async function listing(world: World): Promise<void> {
  const tenant = world.random.of(tenants)
  for (const { id, tenant: whose } of world.pool.listSandboxes({ tenant }))
    must(whose === tenant, `${id} of ${whose} is listed as one of ${tenant}`)
  const { byTenant } = world.pool.stats()
  must(
    Object.keys(byTenant).every((name) => tenants.includes(name)),
    `there is a tenant that nobody is: ${Object.keys(byTenant)}`,
  )
  for (const { id, owner } of await listMicrovms())
    must(id.startsWith('wc-') && owner.pid > 0, `a microVM without an owner: ${id}`)
}

let version = 0
async function update(world: World): Promise<void> {
  const setup = [`echo ${version++ % 3} >/etc/version`]
  const given = world.random.chance(0.3) ? { signal: AbortSignal.timeout(world.random.whole(0, 3_000)) } : {}
  try {
    await world.pool.updateTemplate('rolling', { resources: { memoryMib: 128 }, setup }, given)
  } catch (error) {
    if (error === given.signal?.reason) return
    world.accept(error, 'an update', undefined, ...(world.recentlyStray ? ['BOOT_FAILED'] : []))
  }
}

const resize = async ({ pool, random }: World): Promise<void> => pool.resize('base', random.whole(0, 3))

export const commands: readonly SoakCommand[] = [
  { name: 'create', weight: 30, run: create },
  { name: 'destroy', weight: 14, run: destroy },
  { name: 'exec', weight: 20, run: exec },
  { name: 'time limit', weight: 3, run: timeout },
  { name: 'exec, given up', weight: 6, run: abortExec },
  { name: 'spawn and kill', weight: 6, run: spawnAndKill },
  { name: 'flood', weight: 4, run: flood },
  { name: 'files', weight: 10, run: files },
  { name: 'write, given up', weight: 4, run: abortWrite },
  { name: 'terminal', weight: 5, run: terminal },
  { name: 'port', weight: 4, run: port },
  { name: 'look for others', weight: 5, run: look },
  { name: 'usage', weight: 3, run: usage },
  { name: 'kill -9', weight: 4, run: (world) => crash(world, 'SIGKILL') },
  { name: 'SIGSTOP', weight: 2, run: (world) => crash(world, 'SIGSTOP') },
  { name: 'SIGSTOP, a moment', weight: 2, run: stopForAMoment },
  { name: 'kill -9, stock', weight: 2, run: killStray },
  { name: 'listing', weight: 4, run: listing },
  { name: 'updateTemplate', weight: 1, run: update },
  { name: 'resize', weight: 2, run: resize },
]
