/** Whether the host only lacks something for the moment: then what was looked at may be as it should be. */

const shortages: ReadonlySet<string | undefined> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EINTR'])

export function isShortage(error: unknown): boolean {
  return shortages.has((error as NodeJS.ErrnoException | undefined)?.code)
}
