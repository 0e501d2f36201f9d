// What went wrong, in the words of HTTP.
import { WarmcellError } from 'warmcell'

const statusOf = {
  INVALID_ARGUMENT: 400,
  FILE: 409,
  SANDBOX_GONE: 410,
  TENANT_LIMIT: 429,
  POOL_EXHAUSTED: 503,
  POOL_CLOSED: 503,
  BOOT_FAILED: 503,
  GUEST_UNREACHABLE: 504,
  TIMEOUT: 504,
}
const fileStatusOf = { ENOENT: 404, EISDIR: 409, ENOSPC: 507 }

/** For `onError` of an API: the error's own words, as JSON. What is not warmcell's stays on this machine. */
export function failure(error, context) {
  if (!WarmcellError.is(error)) {
    console.error(error)
    return context.json({ error: 'Something went wrong here.' }, 500)
  }
  const { code, message, errno } = error
  return context.json({ code, errno, error: message }, fileStatusOf[errno] ?? statusOf[code] ?? 500)
}
