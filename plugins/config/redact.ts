/** In a name, these speak of a secret wherever they stand, as in `x-csrf-token` or `PHPSESSID`. */
const PART =
  /authori[sz]ation|authentication|token|secret|passw(?:or)?d|passphrase|pwd|credential|signature|session|sess_?id|cookie|jwt|saml|assertion|verifier|(?:api|access|private)key/i
/** These do where they are a word by themselves, as in `access_key`, `accessKey` or `X-Auth`: an author is none. */
const WORD = /(?:^|[^a-z])(?:auth|key|sig|sid|otp|pin|pass)(?:$|[^a-z])/i
/** And this one as the whole name: OAuth's. */
const WHOLE = /^code$/i
/** Holds no secret, though it is called a key. */
const PUBLIC = /^(?:idempotency-key|sec-websocket-key\d*)$/i
const CAMEL = /([a-z0-9])([A-Z])/g
const ESCAPED = /%([0-9a-f]{2})/gi
const NAME = /[?&;]([^?&;=]*)=/g
const TELLING = /[?;]|:\/\//
const USER = /:\/\/[^/?#&\s]*@/g

/** Of one header. */
const LONGEST = 512

const REDACTED = '[redacted]'

/**
 * Whether what is called so is a secret: a header or a parameter, by the names that people give them.
 * @param name decoded
 * @param configured further names, in lower case: what the config takes credentials from
 */
function isSecret(name: string, configured: ReadonlySet<string>): boolean {
  if (configured.has(name.toLowerCase())) return true
  if (PUBLIC.test(name)) return false
  return PART.test(name) || WHOLE.test(name) || WORD.test(name.replace(CAMEL, '$1-$2'))
}

/** Byte by byte, since only ASCII matters; what is malformed stays as it is. */
function decoded(name: string): string {
  return name.replace(ESCAPED, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/**
 * A url, or a text that may have one in it, for the log: without a user and a password, and what looks like a secret
 * among the parameters of its query or its path is taken out. What follows a semicolon goes with a secret before it,
 * since some take that for a part of the value.
 * @param configured see `isSecret`
 */
export function redactedUrl(sent: string, configured: ReadonlySet<string>): string {
  if (!TELLING.test(sent)) return sent
  const url = sent.replace(USER, '://')
  const query = url.includes('?') ? url.indexOf('?') : url.length
  let text = ''
  let at = 0
  for (const {
    0: { length },
    1: name = '',
    index,
  } of url.matchAll(NAME)) {
    // In a value that is taken out already.
    if (index < at || !isSecret(decoded(name), configured)) continue
    const end = url.indexOf(index < query ? '?' : '&', index + length)
    text += url.slice(at, index + length) + REDACTED
    at = end === -1 ? url.length : end
  }
  return text + url.slice(at)
}

/** A header's value for the log: a credential is taken out, a long one cut. */
export function redactedHeader(
  name: string,
  value: string | readonly string[],
  configured: ReadonlySet<string>,
): string {
  if (isSecret(name, configured)) return REDACTED
  const text = redactedUrl(typeof value === 'string' ? value : value.join(', '), configured)
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text
}

/** What a client calls the gateway, without a user and a password before it, which have no place there. */
export function withoutUser(host: string): string {
  return host.slice(host.lastIndexOf('@') + 1)
}
