const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

/** Why those who say who a caller is cannot be asked there, or undefined. Whoever can change their answers can be anybody. */
export function endpointProblem(value: unknown): string | undefined {
  if (typeof value !== 'string' || !URL.canParse(value)) return 'is no URL'
  const { protocol, hostname, username, password, hash } = new URL(value)
  if (username !== '' || password !== '')
    return 'carries a password; `clientId` and `clientSecret` are for that'
  if (hash !== '') return 'has a fragment, which no server is sent'
  if (protocol === 'https:') return undefined
  if (protocol !== 'http:') return `has the scheme ${protocol}`
  // Tokens and the client's secret would be there for all to read.
  return LOOPBACK.test(hostname) ? undefined : 'is not encrypted, and not on the loopback'
}
