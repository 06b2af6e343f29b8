/** The scheme that a kind of credential is brought with; the others have none (RFC 9110, 11.1). */
const SCHEMES: Readonly<Record<string, string>> = { jwt: 'Bearer', introspection: 'Bearer', basic: 'Basic' }

/**
 * What a caller is asked for whom a route with `auth.optional` let in and who is not allowed what he asks for: perhaps
 * he would be if he said who he is. Undefined where the route asks nobody.
 * @param auth `auth` of the route, whoever defines it
 */
export function challengeOf(auth: unknown, realm: string | undefined): string | undefined {
  const { accept } = (auth ?? {}) as { accept?: unknown }
  const kinds = [accept ?? []].flat().map(String)
  if (kinds.length === 0) return undefined
  const schemes = new Set(kinds.map((kind) => SCHEMES[kind] ?? kind))
  return [...schemes]
    .map((scheme) => (realm === undefined ? scheme : `${scheme} realm="${realm}"`))
    .join(', ')
}
