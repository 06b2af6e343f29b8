/** What a name of a header or a cookie is made of (RFC 9110, 5.6.2). */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/

export function isToken(name: unknown): name is string {
  return typeof name === 'string' && TOKEN.test(name)
}
