// Who is asking, and from which page. A product puts its login here.
import { createHash, randomBytes } from 'node:crypto'
import { getCookie, setCookie } from 'hono/cookie'
import { secureHeaders } from 'hono/secure-headers'

const cookieName = 'ide'
const secretPattern = /^[0-9a-f]{32}$/

/**
 * Lets in what comes to this origin from this origin, and says whose it is (`context.get('tenant')`). The check of the host keeps out names that
 * somebody else has pointed at this machine; the check of the origin keeps out what other pages, and tenants' previews, would have the browser send.
 */
export function guard(origin, previews) {
  const headers = secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'self'"],
      imgSrc: ["'self'", 'data:'],
      // The editor and the terminal make their style sheets in the page.
      styleSrc: ["'self'", "'unsafe-inline'"],
      connectSrc: ["'self'", origin.replace('http', 'ws')],
      frameSrc: [previews],
      frameAncestors: ["'none'"],
    },
  })
  return (context, next) => {
    const { req } = context
    if (req.header('host') !== new URL(origin).host) return context.text(`This is ${origin}\n`, 421)
    // A browser names the origin with everything that may change something; an address that is typed in has none.
    const from = req.header('origin')
    if (from !== origin && (from !== undefined || req.method !== 'GET')) return context.text('Forbidden\n', 403)
    let secret = getCookie(context, cookieName)
    if (!secretPattern.test(secret ?? '')) {
      secret = randomBytes(16).toString('hex')
      setCookie(context, cookieName, secret, { httpOnly: true, sameSite: 'Strict', maxAge: 30 * 24 * 3600 })
    }
    context.set('tenant', tenantOf(secret))
    return headers(context, next)
  }
}

/** The same for a WebSocket, which no browser stops from reaching another origin: whose it is, or undefined. */
export function tenantOfSocket({ headers }, origin) {
  const secret = new RegExp(`(?:^|; )${cookieName}=([0-9a-f]{32})(?:;|$)`).exec(headers.cookie ?? '')?.[1]
  if (secret === undefined || headers.origin !== origin || headers.host !== new URL(origin).host) return undefined
  return tenantOf(secret)
}

/** A name that may stand in logs and events: nobody can come back from it to the cookie. */
function tenantOf(secret) {
  return createHash('sha256').update(secret).digest('hex').slice(0, 32)
}

/** Middleware: the visitor's workspace (`context.get('workspace')`), without which there is nothing to do. */
export function needsWorkspace(workspaces) {
  return (context, next) => {
    const workspace = workspaces.find(context.get('tenant'))
    if (workspace === undefined) return context.json({ code: 'SANDBOX_GONE', error: 'Your workspace has ended.' }, 410)
    context.set('workspace', workspace)
    return next()
  }
}
