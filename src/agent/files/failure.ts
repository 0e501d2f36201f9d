/** What a guest's `Failed` about a file means to a caller, in words: pure. */

import { foreignText } from '../../common/text.ts'
import { FileError } from '../../errors.ts'
import { errnoCharsMax, type Failed, quote, stepCharsMax } from '../failure.ts'

/** Something in the guest's file system, as a request names it. */
export interface Place {
  /** Absolute, or from the user's home. */
  readonly path: string
  /** From whose home a relative path goes, and who owns what is made. */
  readonly user: string
  /** The path as the caller gave it, for errors. Default: `path`. */
  readonly given?: string
}

/** What the guest was asked to do, as the words after "was not". */
export type Deed =
  | 'written'
  | 'read'
  | 'looked at'
  | 'listed'
  | 'made'
  | 'renamed'
  | 'removed'
  | 'watched'
  | 'uploaded'
  | 'downloaded'

type Reason = readonly [what: string, hint?: string]

/** Why, by errno; `errno deed` where one deed has a reason of its own. A map, as an object would also know errnos such as `constructor`. */
const reasons: ReadonlyMap<string, Reason> = new Map(
  Object.entries<Reason>({
    ENOENT: ['there is no such file or directory'],
    'ENOENT renamed': ['there is no such file or directory, or none to put it into', 'Make the directory it goes to first.'],
    EISDIR: ['it is a directory', 'List it, or download it as a tree.'],
    'EISDIR written': ['a directory is there', 'Name a file in it, or remove it first.'],
    'EISDIR uploaded': ['a directory is where a file is to go', 'Name the file in it, or remove it first.'],
    'EISDIR renamed': ['a directory is where a file is to go', 'Name the file in it, or remove it first.'],
    'EISDIR removed': ['it is a directory', 'Pass `recursive: true` to remove it with all that is in it.'],
    ENOTDIR: ['it, or something on the way to it, is not a directory'],
    'ENOTDIR uploaded': [
      'a file or a symbolic link is where a directory is to go',
      'Remove it first: an upload follows no link below its top.',
    ],
    EILSEQ: ['a name in it is no UTF-8', 'Have the guest rename it, or download what is beside it.'],
    EEXIST: ['something is there already', 'Remove it first.'],
    ENOTEMPTY: ['the directory is not empty', 'Pass `recursive: true` to remove it with all that is in it.'],
    'ENOTEMPTY renamed': ['a directory that is not empty is there already', 'Remove it first.'],
    ENOSPC: [
      'the writable layer is full',
      'Remove what is not needed, or raise `diskMib`, which lives in the memory of the guest.',
    ],
    EDQUOT: [
      'the writable layer is full',
      'Remove what is not needed, or raise `diskMib`, which lives in the memory of the guest.',
    ],
    EFBIG: ['it is larger than the guest can hold'],
    EXDEV: ['it is on another file system than where it is to go', 'Copy it, and remove it then.'],
    ELOOP: ['its links lead in a circle'],
    ENAMETOOLONG: ['its name is longer than the 255 bytes of a name or the 4,095 of a path that Linux takes'],
    EACCES: ['the guest does not let even root do it'],
    EPERM: ['the guest does not let even root do it'],
    EROFS: ['it is where nothing can be changed', 'Use a directory such as the home, /srv or /tmp.'],
    EBUSY: ['the guest is using it'],
    EINVAL: [
      'it is nothing that can be asked for',
      'Only regular files are read and written; what is a directory cannot go into itself.',
    ],
    EIO: ['it could not be read to its end, or changed meanwhile'],
    ENOMEM: ["the guest's memory is used up", 'Give the sandbox more memory, or run less in it at once.'],
    EMFILE: ['the guest has too many files open'],
    ENFILE: ['the guest has too many files open'],
    'ENOSPC watched': ['the guest has no watch left to give', 'Watch less, or without `recursive`.'],
  }),
)

const retryable: ReadonlySet<string> = new Set(['EBUSY', 'ENOMEM', 'EMFILE', 'ENFILE'])

/** FILE, with the guest's errno in words, and what to try. */
export function fileFailure(place: Place, deed: Deed, failed: Failed): FileError {
  const errno = foreignText(failed.errno, errnoCharsMax)
  const step = foreignText(failed.step, stepCharsMax)
  if (step === 'user') {
    const hint = "Name one from its /etc/passwd, such as 'root'."
    return refused(place, deed, errno, [`there is no user '${quote(place.user)}' in the guest`, hint], step)
  }
  const reason = reasons.get(`${errno} ${deed}`) ?? reasons.get(errno) ?? [`the guest failed at step '${step}'`]
  return refused(place, deed, errno, reason, foreignText(failed.message))
}

/** The guest broke off what it had begun. */
export function brokenOff(place: Place, deed: Deed): FileError {
  const hint = 'Try again when nothing in the guest changes it.'
  return refused(place, deed, 'EIO', ['the guest broke it off: it could not be read to its end, or changed meanwhile', hint])
}

/** The answer is more than this process keeps. */
export function tooMuch(place: Place, deed: Deed, what: string, hint: string): FileError {
  return refused(place, deed, 'EOVERFLOW', [what, hint])
}

function refused({ path, given }: Place, deed: Deed, errno: string, [what, hint]: Reason, words?: string): FileError {
  const details = words === undefined || words === '' ? errno : `${errno}: ${words}`
  return new FileError(given ?? path, errno, `'${quote(path)}' was not ${deed} in the guest: ${what} (${details}).`, {
    hint,
    retryable: retryable.has(errno),
  })
}
