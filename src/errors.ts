/** The one error type of warmcell, its stable codes, and a subclass per thing that a caller handles differently. */

/** Stable: a code never changes its meaning. Each has a section in docs/errors.md. */
export type ErrorCode =
  | 'INVALID_ARGUMENT'
  | 'HOST_UNSUPPORTED'
  | 'BOOT_FAILED'
  | 'TEMPLATE_CORRUPT'
  | 'POOL_EXHAUSTED'
  | 'POOL_CLOSED'
  | 'TENANT_LIMIT'
  | 'TIMEOUT'
  | 'SANDBOX_GONE'
  | 'GUEST_UNREACHABLE'
  | 'PROTOCOL'
  | 'COMMAND_EXIT'
  | 'SPAWN_FAILED'
  | 'FILE'
  | 'CONNECT'
  | 'IMAGE'
  | 'UNSUPPORTED'

/** What an error may carry beside its message. */
export interface ErrorDetails {
  /** The sandbox it happened to. */
  sandboxId?: string | undefined
  /** What to do about it, as one sentence. It is also the end of the message. */
  hint?: string | undefined
  /** Whether the same call may succeed if made again. Default: what is usual for the code. */
  retryable?: boolean | undefined
  cause?: unknown
}

const retryableCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'BOOT_FAILED',
  'POOL_EXHAUSTED',
  'TENANT_LIMIT',
  'TIMEOUT',
  'GUEST_UNREACHABLE',
  'CONNECT',
])

/**
 * Everything that warmcell throws on purpose. The message says what happened, to which sandbox, and what to try.
 *
 * @example
 * ```ts
 * await using sandbox = await createSandbox({ timeoutMs: 1_000 })
 * try {
 *   await sandbox.exec('sleep 60')
 * } catch (error) {
 *   if (!WarmcellError.is(error) || error.code !== 'SANDBOX_GONE') throw error
 *   console.log(error.message)
 * }
 * ```
 */
export class WarmcellError extends Error {
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly sandboxId?: string
  readonly hint?: string

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    const { sandboxId, hint, retryable, cause } = details
    super(hint === undefined ? message : `${message} ${hint}`, cause === undefined ? undefined : { cause })
    this.name = new.target.name
    this.code = code
    this.retryable = retryable ?? retryableCodes.has(code)
    if (sandboxId !== undefined) this.sandboxId = sandboxId
    if (hint !== undefined) this.hint = hint
  }

  /** Tells a warmcell error from any other, also across two copies of the package. */
  static is(error: unknown): error is WarmcellError {
    return error instanceof Error && typeof (error as Partial<WarmcellError>).code === 'string' && 'retryable' in error
  }
}

/** Names the sandbox in an error from a room that does not know of sandboxes. Returns the same error. */
export function attributed<E>(error: E, sandboxId: string): E {
  if (WarmcellError.is(error) && error.sandboxId === undefined)
    Object.defineProperty(error, 'sandboxId', { value: sandboxId, enumerable: true })
  return error
}

/** A file in the guest could not be read or written; `errno` is the guest's own word for why, such as `ENOSPC`. */
export class FileError extends WarmcellError {
  readonly path: string
  readonly errno: string

  constructor(path: string, errno: string, message: string, details: ErrorDetails = {}) {
    super('FILE', message, details)
    this.path = path
    this.errno = errno
  }
}

/** A connection to a port of the guest was refused, or broken off; `errno` is Linux's own word for why: `ECONNREFUSED`, `ECONNRESET`. */
export class ConnectError extends WarmcellError {
  readonly port: number
  readonly errno: string

  constructor(port: number, errno: string, message: string, details: ErrorDetails = {}) {
    super('CONNECT', message, details)
    this.port = port
    this.errno = errno
  }
}

/** Why a sandbox has ended. */
export type DestroyReason = 'requested' | 'timeout' | 'idle' | 'crash' | 'pool-closed' | 'aborted'

/** The sandbox has ended. Thrown only on positive evidence that the microVM is gone; a doubt is `GUEST_UNREACHABLE`. */
export class SandboxGoneError extends WarmcellError {
  readonly reason: DestroyReason
  /** The last lines of the guest's console, when it ended by itself; empty otherwise. */
  readonly consoleTail: string

  constructor(sandboxId: string, reason: DestroyReason, consoleTail: string, detail: string, cause?: unknown) {
    super('SANDBOX_GONE', `Sandbox ${sandboxId} is gone: ${detail}.`, {
      sandboxId,
      cause,
      hint: 'Create a new one: a sandbox is never reused.',
    })
    this.reason = reason
    this.consoleTail = consoleTail
  }
}
