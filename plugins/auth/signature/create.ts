import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { hasBody } from '../../config/has-body.ts'
import { GatewayError } from '../../upstreams/errors.ts'
import { type Authenticator, type AuthenticatorContext, Refusal, type Verdict } from '../authenticator.ts'
import { expiredKeys } from '../consumers.ts'
import type { SignedRequest } from './components.ts'
import { digestsMatch, type WantedDigest, wantedDigests } from './digest.ts'
import { signingKeys } from './keys.ts'
import { verifierOf } from './node.ts'
import { type SignatureOptions, Signatures } from './signatures.ts'

declare module '../authenticator.ts' {
  interface AuthenticatorKinds {
    signature: SignatureOptions
  }
}

const WRONG_BODY = 'The request body is not the one that was signed'
const NO_BODY = Buffer.alloc(0)

function sha(algorithm: 'sha256' | 'sha512', body: Buffer): Buffer {
  return createHash(algorithm).update(body).digest()
}

/** As the signer has seen it: before a path was made canonical, and before a proxy that is believed. */
function signedRequest(request: FastifyRequest): SignedRequest {
  const { raw, method, protocol, host, sentTarget } = request
  return { method, scheme: protocol, authority: host, target: sentTarget, rawHeaders: raw.rawHeaders }
}

function bodyCheck(wanted: readonly WantedDigest[]): (body: Buffer) => GatewayError | undefined {
  return (body) =>
    digestsMatch(wanted, body, sha)
      ? undefined
      : new GatewayError('GTW_UNAUTHENTICATED', 401, 'client', WRONG_BODY, {
          // It is known who it was: no challenge would help. RFC 9110, 15.5.2, wants one all the same.
          headers: { 'www-authenticate': 'signature', 'cache-control': 'no-store' },
        })
}

/** HTTP message signatures (RFC 9421). */
export function createSignature(
  options: SignatureOptions,
  { app, date, now }: AuthenticatorContext,
): Authenticator {
  const keys = signingKeys(app.gateway.consumers, verifierOf)
  const signatures = new Signatures(keys, options, { date, now })
  app.upstreams.measure({
    name: 'auth_signature_nonces',
    help: 'Nonces of signatures that are kept so that none is used twice.',
    type: 'gauge',
    labels: [],
    collect: (add) => add(signatures.nonces),
  })
  return {
    // No scheme of `WWW-Authenticate` stands for it.
    challenge: () => undefined,
    start() {
      for (const path of expiredKeys(app.gateway.consumers, 'signingKeys', date()))
        app.log.warn(`${path} has expired and is not taken any more: renew it, or take it out`)
    },
    authenticate(request): Verdict {
      // Most do not bring one: nothing is put together for them.
      if (request.headers['signature-input'] === undefined) return undefined
      const brought = hasBody(request.raw)
      const signed = signatures.authenticate(signedRequest(request), brought)
      if (signed === undefined || signed instanceof Refusal) return signed
      if (signed.digests === 'none') return signed.identity
      const wanted = wantedDigests(request.raw.rawHeaders, signed.digests)
      if ('why' in wanted) return new Refusal('invalid_token', 'The signature is not valid', wanted.why)
      if (brought) request.bodyCheck = bodyCheck(wanted)
      else if (!digestsMatch(wanted, NO_BODY, sha)) return new Refusal('invalid_token', WRONG_BODY)
      return signed.identity
    },
  }
}
