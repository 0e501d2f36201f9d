/** What a guest's `Failed` means to a caller, in words: pure. */

import { foreignText } from '../common/text.ts'
import { ConnectError, WarmcellError } from '../errors.ts'
import type { GuestMessage } from './messages.ts'
import type { ProcessSpec } from './process.ts'

export type Failed = Extract<GuestMessage, { type: 'Failed' }>

/** An errno's name is this long at most (the kernel's longest has 15 characters). */
export const errnoCharsMax = 16
export const stepCharsMax = 32

/** Why a program did not start, by step and errno; `*` is any other errno of the step. */
const spawnReasons: Readonly<Record<string, (spec: ProcessSpec, command: string) => readonly [what: string, hint: string]>> = {
  'user *': ({ user }) => [`there is no user '${quote(user)}' in the guest`, "Name one from its /etc/passwd, such as 'root'."],
  'cwd ENOENT': ({ cwd }) => [`its working directory '${quote(cwd)}' does not exist`, 'Make it first, or start in another one.'],
  'cwd ENOTDIR': ({ cwd }) => [`its working directory '${quote(cwd)}' is not a directory`, 'Start in another one.'],
  'cwd EACCES': ({ cwd, user }) => [
    `user '${quote(user)}' may not enter its working directory '${quote(cwd)}'`,
    'Start in another one, or as another user.',
  ],
  'exec ENOENT': (_, command) => [
    `there is no program '${command}' in the guest, or the interpreter it names is missing`,
    'Check the name and PATH, or install it in the template.',
  ],
  'exec EACCES': ({ user }, command) => [
    `user '${quote(user)}' may not execute '${command}'`,
    'Give it the execute bit (chmod +x), or start it as another user.',
  ],
  // Of a file's capabilities all are granted, or the kernel does not run it.
  'exec EPERM': ({ user }, command) => [
    `the file of '${command}' asks for capabilities that user '${quote(user)}' cannot have in a sandbox`,
    'Take them off in a `setup` of the template: setcap -r.',
  ],
  'exec ENOEXEC': (_, command) => [
    `'${command}' is in no format the guest can execute`,
    "A script needs a first line such as '#!/bin/sh'; a binary has to be built for the guest's processor.",
  ],
  'exec E2BIG': () => ['its arguments and environment together are too long', 'Pass the data on stdin or in a file.'],
  'spawn EAGAIN': () => ['the guest has no process left to give', 'Wait until others have ended, or raise the limit.'],
  'spawn ENOMEM': () => ["the guest's memory is used up", 'Give the sandbox more memory, or run less in it at once.'],
}

/** SPAWN_FAILED, with the step and the errno in words and what to try. */
export function spawnFailure(spec: ProcessSpec, failed: Failed): WarmcellError {
  const errno = foreignText(failed.errno, errnoCharsMax)
  const step = foreignText(failed.step, stepCharsMax)
  const command = quote(spec.arguments[0] ?? '')
  const reason = spawnReasons[`${step} ${errno}`] ?? spawnReasons[`${step} *`]
  const [what, hint] = reason?.(spec, command) ?? [`the guest failed at step '${step}'`, undefined]
  return new WarmcellError('SPAWN_FAILED', `'${command}' was not started: ${what} (${errno}: ${foreignText(failed.message)}).`, {
    hint,
    retryable: errno === 'EAGAIN' || errno === 'ENOMEM',
  })
}

/** CONNECT, with the guest's errno. */
export function connectFailure(port: number, failed: Failed): ConnectError {
  const errno = foreignText(failed.errno, errnoCharsMax)
  if (errno === 'ECONNREFUSED') {
    return new ConnectError(port, errno, `Nothing listens on port ${port} of the guest (${errno}).`, {
      hint: 'Wait for it with `ports.waitFor`.',
    })
  }
  return new ConnectError(port, errno, `Port ${port} of the guest was not reached (${errno}: ${foreignText(failed.message)}).`)
}

/** A guest that cannot say what it uses: its kernel lacks the means. */
export function measureFailure(failed: Failed): WarmcellError {
  const details = `(${foreignText(failed.errno, errnoCharsMax)}: ${foreignText(failed.message)})`
  return new WarmcellError('UNSUPPORTED', `The guest cannot say what it uses ${details}.`)
}

/** More than there is, or less than is in use: what was asked for does not fit this guest. Anything else is a guest to throw away. */
export function limitFailure(failed: Failed): WarmcellError {
  const details = `(${foreignText(failed.errno, errnoCharsMax)}: ${foreignText(failed.message)})`
  if (failed.errno === 'EBUSY') {
    return new WarmcellError('INVALID_ARGUMENT', `More is in use in the guest already than its limits shall be ${details}.`, {
      hint: 'What the template has written, and what it left running, counts: ask for more than that.',
    })
  }
  if (failed.errno === 'EINVAL') {
    return new WarmcellError('INVALID_ARGUMENT', `The guest has less to give than its limits shall be ${details}.`, {
      hint: 'Ask for less, or raise the resources of the template.',
    })
  }
  if (failed.errno === 'EOPNOTSUPP') return new WarmcellError('UNSUPPORTED', `The guest's kernel cannot limit this ${details}.`)
  return refusal('take its limits', failed)
}

/** The guest did not take its identity: nothing may run in it. */
export function handshakeFailure(failed: Failed): WarmcellError {
  if (failed.errno === 'EPROTO') {
    return new WarmcellError(
      'PROTOCOL',
      `The guest's agent speaks another generation of the wire: ${foreignText(failed.message)}.`,
      {
        hint: 'Build the guest image anew with this version of warmcell.',
      },
    )
  }
  return refusal('take its identity', failed)
}

/** The guest did not do what it has to be able to do: it is no guest to give to anybody. */
export function refusal(what: string, failed: Failed): WarmcellError {
  const [errno, step] = [foreignText(failed.errno, errnoCharsMax), foreignText(failed.step, stepCharsMax)]
  return new WarmcellError(
    'BOOT_FAILED',
    `The guest did not ${what}, at step '${step}' (${errno}: ${foreignText(failed.message)}).`,
  )
}

/** A caller's text inside a message: short, one line. */
export function quote(text: string): string {
  return foreignText(text, 128)
}
