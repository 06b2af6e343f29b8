/** Query parameters whose values are secrets, by the names that people give them. */
const SECRET =
  /([?&](?:[^=&]*(?:token|secret|password|passwd|api[_-]?key|apikey|signature|credential)[^=&]*|code|sig|key|auth|jwt)=)[^&]*/gi

/** The same for headers. */
const SECRET_HEADER =
  /^(?:proxy-)?authorization$|cookie|token|secret|password|passwd|api[_-]?key|signature|credential|session|jwt|(?:^|-)(?:auth|key)(?:-|$)/i
/** Holds no secret, though it is called a key. */
const PUBLIC = /^(?:idempotency-key|sec-websocket-key\d*)$/i

/** Of one header. */
const LONGEST = 512

const REDACTED = '[redacted]'

/** A url for the log: what looks like a secret in its query is taken out. */
export function redactedUrl(url: string): string {
  return url.includes('?') ? url.replace(SECRET, `$1${REDACTED}`) : url
}

/** A header's value for the log: a credential is taken out, a long one cut. */
export function redactedHeader(name: string, value: string | readonly string[]): string {
  if (SECRET_HEADER.test(name) && !PUBLIC.test(name)) return REDACTED
  const text = redactedUrl(typeof value === 'string' ? value : value.join(', '))
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text
}
