/** The proxy that registries are reached through: what the environment says, read as most programs read it. Pure. */

import type { EnvHttpProxyAgent } from 'undici'
import { WarmcellError } from '../../../errors.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** A registry on this host is nobody's to reach for it. */
const loopback = ['localhost', '127.0.0.1', '[::1]'] as const

/**
 * `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, in lower case before upper case.
 *
 * @throws `INVALID_ARGUMENT` for what is no address of a proxy; its words do not hold it, for a password may be in it
 */
export function proxiesOf(environment: Environment): Pick<EnvHttpProxyAgent.Options, 'httpProxy' | 'httpsProxy' | 'noProxy'> {
  const except = environment.no_proxy ?? environment.NO_PROXY ?? ''
  const [httpProxy, httpsProxy] = [addressIn(environment, 'HTTP_PROXY'), addressIn(environment, 'HTTPS_PROXY')]
  return {
    // As text, or what the library itself finds in the environment would count.
    httpProxy: httpProxy ?? '',
    httpsProxy: httpsProxy ?? '',
    noProxy: except.trim() === '*' ? '*' : [except, ...loopback].join(','),
  }
}

function addressIn(environment: Environment, name: string): string | undefined {
  const said = environment[name.toLowerCase()] || environment[name] || undefined
  if (said === undefined) return undefined
  const address = said.includes('://') ? said : `http://${said}`
  const isProxy = URL.canParse(address) && ['http:', 'https:'].includes(new URL(address).protocol)
  if (isProxy) return address
  throw new WarmcellError('INVALID_ARGUMENT', `${name} in the environment is no address of a proxy.`, {
    hint: 'Set it to such as http://proxy.example:3128, or unset it.',
  })
}
