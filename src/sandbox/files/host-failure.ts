/** What the host's file system says, in the words of this project. */

import { FileError } from '../../errors.ts'

const hints: Readonly<Record<string, string>> = {
  ENOENT: 'Check the path: it is one of the host, and what it is in has to be there.',
  EACCES: 'This process needs the right to it.',
  EPERM: 'This process needs the right to it.',
  ENOSPC: 'Make room on the disk of the host.',
  EDQUOT: 'Make room on the disk of the host.',
  EMFILE: 'Raise the limit of open files (ulimit -n), or do less at once.',
  EEXIST: 'Remove what is there first, or choose another place.',
  ENOTEMPTY: 'Choose a place where nothing is, or empty the directory first.',
  EISDIR: 'Name the file in the directory.',
  ENOTDIR: 'Choose a place where nothing is.',
}

const retryable: ReadonlySet<string> = new Set(['EBUSY', 'EMFILE', 'ENFILE'])

/** FILE, about something of the host; `deed` is what was to be done, as the words after "was not". */
export function hostFailure(hostPath: string, deed: string, errno: string, reason: string, cause?: unknown): FileError {
  return new FileError(hostPath, errno, `'${hostPath}' of the host was not ${deed}: ${reason} (${errno}).`, {
    hint: hints[errno],
    retryable: retryable.has(errno),
    cause,
  })
}

/** Does something with the host's file system. @throws FILE in place of Node's own error. */
export async function onHost<T>(hostPath: string, deed: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code
    if (errno === undefined || !/^E[A-Z0-9]+$/.test(errno)) throw cause
    throw hostFailure(hostPath, deed, errno, wordsOf(cause as NodeJS.ErrnoException), cause)
  }
}

/** Node's message without its code and its paths. */
function wordsOf({ message }: NodeJS.ErrnoException): string {
  return /^E[A-Z0-9]+: (.*?), /.exec(message)?.[1] ?? message
}
