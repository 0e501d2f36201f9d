/** What belongs to a tenant, bound to a microVM after it was taken. */

import PQueue from 'p-queue'
import { guestPath } from '../common/guest-path.ts'
import { attributed } from '../errors.ts'
import type { SandboxBinding } from '../sandbox/index.ts'
import { limit } from './limiting.ts'
import type { CreateSandboxOptions } from './options.ts'
import type { Supplied } from './queueing.ts'

/** The mode of files written at creation. */
const fileMode = 0o644

/** Files written side by side: while the guest is at one, the next is on its way. */
const filesAtOnceMax = 8

/** The options of one create over its template's. */
export function bind(
  { origin, template }: Supplied,
  options: CreateSandboxOptions,
  { isolation, confinement }: Pick<SandboxBinding, 'isolation' | 'confinement'>,
): Omit<SandboxBinding, 'createMs'> {
  const { tenant, timeoutMs, idleTimeoutMs } = options
  return {
    ...(tenant !== undefined && { tenant }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
    template: template.name,
    origin,
    isolation,
    confinement,
    createdAt: new Date(),
    metadata: { ...options.metadata },
    env: { ...template.env, ...options.env },
    user: options.user ?? template.user,
    cwd: options.cwd ?? template.cwd,
    interpreters: template.interpreters,
  }
}

/**
 * Gives a machine its tenant's limits, and then the files: they are written within them.
 *
 * @throws `INVALID_ARGUMENT`, `FILE`, `BOOT_FAILED`, `GUEST_UNREACHABLE`, `PROTOCOL`, `TIMEOUT`, or the signal's reason; the machine is gone then.
 */
export async function prepare(
  { machine, template }: Supplied,
  { user, cwd }: { user: string; cwd: string },
  { resources, files = {} }: CreateSandboxOptions,
  signal: AbortSignal,
): Promise<void> {
  try {
    await limit(machine, resources, template, signal)
    const queue = new PQueue({ concurrency: filesAtOnceMax })
    await queue.addAll(
      Object.entries(files).map(([path, content]) => () => {
        const data = typeof content === 'string' ? Buffer.from(content) : content
        return machine.connection.files.write(guestPath(cwd, path), data, { mode: fileMode, user, signal })
      }),
    )
    signal.throwIfAborted()
  } catch (error) {
    await machine.destroy()
    throw attributed(error, machine.id)
  }
}
