const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/
const JWT = /^([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/
const LONGEST = 4096

/** Whether this is a token as `Authorization: Bearer` carries it (RFC 6750, 2.1). */
export function isBearerToken(text: string): boolean {
  return text.length <= LONGEST && TOKEN.test(text)
}

/** Whether a token has the form of a signed JWT (RFC 7519, 7.2): three parts, the first of which is a header. */
export function isJwtForm(token: string): boolean {
  const header = JWT.exec(token)?.[1]
  if (header === undefined) return false
  try {
    const parsed: unknown = JSON.parse(Buffer.from(header, 'base64url').toString())
    return parsed !== null && typeof parsed === 'object' && 'alg' in parsed
  } catch {
    return false
  }
}
