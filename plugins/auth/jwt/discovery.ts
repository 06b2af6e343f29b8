import { endpointProblem } from '../endpoint.ts'
import { readJwkSet } from './jwk.ts'

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

function hasKeys(document: unknown): boolean {
  try {
    return readJwkSet(document).keys.length > 0
  } catch {
    return false
  }
}

/**
 * Fetches the keys from where the config says or discovery. What was discovered is kept until a fetch from there fails, or
 * brings no keys: an issuer that was just starting may have named another place.
 * @param fetch one document
 */
export function keyFetcher(
  { issuer, jwksUri }: { readonly issuer: string; readonly jwksUri?: string },
  fetch: (url: URL, signal: AbortSignal) => Promise<unknown>,
): (signal: AbortSignal) => Promise<unknown> {
  let found = jwksUri === undefined ? undefined : new URL(jwksUri)
  return async (signal) => {
    found ??= jwksUriOf(await fetch(discoveryUrl(issuer), signal), issuer)
    let document: unknown
    try {
      document = await fetch(found, signal)
      return document
    } finally {
      if (jwksUri === undefined && !hasKeys(document)) found = undefined
    }
  }
}
