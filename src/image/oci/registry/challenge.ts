/** What a registry wants to see before it answers: the header `WWW-Authenticate` (RFC 9110, section 11.6.1). */

export type Challenge =
  | { readonly scheme: 'basic' }
  | {
      readonly scheme: 'bearer'
      readonly realm: string
      readonly service: string | undefined
      readonly scope: string | undefined
    }

/** Of the header, in characters; what is longer is none. */
const headerCharsMax = 8_192

const word = "[\\w!#$%&'*+.^`|~-]+"
/** `name="value"`, `name=value`, or the name of a scheme. */
const partPattern = new RegExp(`[\\s,]*(?:(${word})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s,"]+))|(${word}))`, 'y')

/** The one that suits best: a token rather than the password itself. Undefined where there is none that is known. */
export function chooseChallenge(header: string | readonly string[] | undefined): Challenge | undefined {
  const text = typeof header === 'string' ? header : (header ?? []).join(', ')
  const all = text.length > headerCharsMax ? [] : challengesOf(text)
  const bearer = all.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'))
  if (bearer !== undefined) {
    const { parameters } = bearer
    return {
      scheme: 'bearer',
      realm: parameters.get('realm') ?? '',
      service: parameters.get('service'),
      scope: parameters.get('scope'),
    }
  }
  return all.some(({ scheme }) => scheme === 'basic') ? { scheme: 'basic' } : undefined
}

function challengesOf(text: string): { scheme: string; parameters: Map<string, string> }[] {
  const found: { scheme: string; parameters: Map<string, string> }[] = []
  partPattern.lastIndex = 0
  for (let part = partPattern.exec(text); part !== null; part = partPattern.exec(text)) {
    const [, name, quoted, plain, scheme] = part
    if (scheme !== undefined) found.push({ scheme: scheme.toLowerCase(), parameters: new Map() })
    else if (name !== undefined) found.at(-1)?.parameters.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '')
  }
  return found
}
