/** Where a redirect may lead. Registries redirect to the storage that holds their blobs. */

import { foreignText } from '../../../common/text.ts'
import { PullFailure } from '../failure.ts'

/** From a registry to its storage is one; two more for what stands between. */
export const hopsMax = 5

/** `host[:port]`, as a registry is named in the options: the default port is left out. */
type IsPlain = (host: string) => boolean

/**
 * @param isPlain whether plain HTTP may be spoken to a host
 * @throws a failure that says nothing of where it leads: such URLs are signed, and whoever has one has the blob.
 */
export function nextHop(from: URL, location: string | undefined, isPlain: IsPlain): URL {
  if (location === undefined || !URL.canParse(location, from.href)) throw redirectFailure(from, 'nowhere')
  const to = new URL(location, from)
  if (to.protocol !== 'https:' && to.protocol !== 'http:') throw redirectFailure(from, 'to something that is not HTTP')
  if (to.username !== '' || to.password !== '') throw redirectFailure(from, 'to a URL with credentials')
  if (from.protocol === 'https:' && to.protocol === 'http:') throw redirectFailure(from, 'from HTTPS to plain HTTP')
  if (to.protocol === 'http:' && !isPlain(to.host)) {
    throw redirectFailure(
      from,
      `to plain HTTP at ${foreignText(to.host, 120)}`,
      `Set plainHttp for '${foreignText(to.host, 120)}' in \`registries\`, if that is right.`,
    )
  }
  return to
}

function redirectFailure(from: URL, where: string, hint = 'Ask whoever runs it.'): PullFailure {
  return new PullFailure(`${from.host} redirects ${where}`, { hint })
}
