import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import {
  allowInsecureRequests,
  ClientSecretBasic,
  ClientSecretPost,
  introspectionRequest,
  processIntrospectionResponse,
  ResponseBodyError,
} from 'oauth4webapi'
import type { Resolved } from '../../config/typed.ts'
import { ServiceBreaker } from '../../upstreams/service-breaker.ts'
import { type Authenticator, type AuthenticatorContext, Refusal, type Verdict } from '../authenticator.ts'
import { bearerChallenge } from '../challenges.ts'
import { authorization } from '../credentials.ts'
import { isBearerToken, mayBeJwt } from './bearer.ts'
import { believe, type Claims } from './claims.ts'
import type { introspectionOptions } from './options.ts'
import { BadTokenError, Tokens } from './tokens.ts'

type IntrospectionOptions = Resolved<typeof introspectionOptions>

declare module '../authenticator.ts' {
  interface AuthenticatorKinds {
    introspection: IntrospectionOptions
  }
}

/** Of the statuses 400 to 499 those that speak of the gateway, or of the endpoint: not of the token. */
const NOT_OF_THE_TOKEN: ReadonlySet<number> = new Set([401, 408, 429])
/** Errors that speak of the gateway (RFC 6749, 5.2), whatever the status. */
const OF_THE_CLIENT: ReadonlySet<string> = new Set(['invalid_client', 'unauthorized_client'])

function isOfTheToken(status: number, error: unknown): boolean {
  if (status < 400 || status > 499 || NOT_OF_THE_TOKEN.has(status)) return false
  return !(error instanceof ResponseBodyError && OF_THE_CLIENT.has(error.error))
}

/** Asks the endpoint about one token (RFC 7662). */
function asker(options: IntrospectionOptions): (token: string) => Promise<Claims> {
  const { endpoint, clientId, clientSecret, clientAuth, timeout } = options
  const server = { issuer: options.issuer ?? endpoint, introspection_endpoint: endpoint }
  const client = { client_id: clientId }
  const proof = clientAuth === 'basic' ? ClientSecretBasic(clientSecret) : ClientSecretPost(clientSecret)
  return async (token) => {
    const response = await introspectionRequest(server, client, proof, token, {
      signal: AbortSignal.timeout(timeout),
      // The config takes `http:` on the loopback only.
      [allowInsecureRequests]: endpoint.startsWith('http:'),
      additionalParameters: { token_type_hint: 'access_token' },
    })
    try {
      return { ...(await processIntrospectionResponse(server, client, response)) }
    } catch (error) {
      if (!isOfTheToken(response.status, error)) throw error
      throw new BadTokenError(`the endpoint answered with status ${response.status}`, { cause: error })
    }
  }
}

/** The route accepts JWTs too, and before: what may be one is theirs, and what they refuse stays refused. */
function jwtGoesFirst({ routeOptions }: FastifyRequest): boolean {
  const accept = routeOptions.config.gateway?.config.auth?.accept
  return (
    Array.isArray(accept) && accept.includes('jwt') && accept.indexOf('jwt') < accept.indexOf('introspection')
  )
}

/** Bearer tokens that their issuer is asked about. */
export function createIntrospection(
  options: IntrospectionOptions,
  { app, now, date, random, realm, consumer }: AuthenticatorContext,
): Authenticator {
  const { failures, openFor } = options
  const breaker = new ServiceBreaker({ failures, firstMs: openFor, longestMs: openFor }, { now, random })
  const work = {
    ask: asker(options),
    believe: (claims: Claims, at: number) => believe(claims, options, consumer, at),
    tag: (token: string) => createHash('sha256').update(token).digest('base64url'),
    now,
    date,
  }
  const tokens = new Tokens(options, work, breaker)
  app.upstreams.measure({
    name: 'auth_introspection_total',
    help: 'Questions to the introspection endpoint, those that failed, those held back while it is down or busy, and answers that were used though they were old.',
    type: 'counter',
    labels: ['result'],
    collect(add) {
      for (const [result, count] of Object.entries(tokens.counts)) add(count, result)
    },
  })
  app.upstreams.measure({
    name: 'auth_introspection_open',
    help: '1 while the introspection endpoint is left alone because it has failed.',
    type: 'gauge',
    labels: [],
    collect: (add) => add(breaker.open ? 1 : 0),
  })
  return {
    challenge: bearerChallenge(realm),
    authenticate(request): Verdict | Promise<Verdict> {
      const token = authorization(request, 'bearer')
      if (typeof token !== 'string') return token
      if (mayBeJwt(token) && jwtGoesFirst(request)) return undefined
      if (!isBearerToken(token)) return new Refusal('invalid_request', 'The token cannot be read')
      return tokens.authenticate(token)
    },
  }
}
