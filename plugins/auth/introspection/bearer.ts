const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/
const LONGEST = 4096

/** Whether this is a token as `Authorization: Bearer` carries it (RFC 6750, 2.1). */
export function isBearerToken(text: string): boolean {
  return text.length <= LONGEST && TOKEN.test(text)
}

/**
 * Whether anybody could take this for a signed JWT (RFC 7519, 7.2), which has two dots. Nothing finer will do: decoders
 * overlook padding, characters of another alphabet or what is behind the signature, so that a JWT has spellings without
 * number.
 */
export function mayBeJwt(token: string): boolean {
  const first = token.indexOf('.')
  return first !== -1 && token.includes('.', first + 1)
}
