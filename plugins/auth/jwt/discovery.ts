import { endpointProblem } from '../endpoint.ts'

/** Whether keys may be fetched from there. */
export function isSafeUrl(text: unknown): text is string {
  return endpointProblem(text) === undefined
}

/** The issuer's discovery document (OpenID Connect Discovery 1.0, 4.1). */
export function discoveryUrl(issuer: string): URL {
  return new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
}

/** Where the document says that the keys are. Throws if it is another issuer's (4.3: the issuer has to match exactly). */
export function jwksUriOf(document: unknown, issuer: string): URL {
  const { issuer: named, jwks_uri: uri } = (document ?? {}) as Readonly<Record<string, unknown>>
  if (named !== issuer) throw new Error(`the discovery document is not that of "${issuer}", to the letter`)
  if (!isSafeUrl(uri)) throw new Error('the discovery document names no https address of keys')
  return new URL(uri)
}

/**
 * Fetches the keys from where the config says or discovery. What was discovered is kept until a fetch from there fails.
 * @param fetch one document
 */
export function keyFetcher(
  { issuer, jwksUri }: { readonly issuer: string; readonly jwksUri?: string },
  fetch: (url: URL, signal: AbortSignal) => Promise<unknown>,
): (signal: AbortSignal) => Promise<unknown> {
  let found = jwksUri === undefined ? undefined : new URL(jwksUri)
  return async (signal) => {
    found ??= jwksUriOf(await fetch(discoveryUrl(issuer), signal), issuer)
    try {
      return await fetch(found, signal)
    } catch (error) {
      if (jwksUri === undefined) found = undefined
      throw error
    }
  }
}
