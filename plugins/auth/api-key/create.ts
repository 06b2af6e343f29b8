import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { Resolved } from '../../config/typed.ts'
import { type Authenticator, type AuthenticatorContext, Refusal } from '../authenticator.ts'
import { expiredKeys } from '../consumers.ts'
import { singleHeader } from '../credentials.ts'
import { ApiKeys } from './keys.ts'
import type { apiKeyOptions } from './options.ts'

type ApiKeyOptions = Resolved<typeof apiKeyOptions>

declare module '../authenticator.ts' {
  interface AuthenticatorKinds {
    'api-key': ApiKeyOptions
  }
}

/** Where a key is kept once it has been taken off its request. */
const KEY = Symbol('holdfast.api-key')
type Carrying = FastifyRequest & { [KEY]?: string | Refusal }

function oneOf(found: readonly (string | Refusal)[]): string | Refusal | undefined {
  if (found.length <= 1) return found[0]
  return new Refusal('invalid_request', 'A credential was sent more than once', 'several API keys')
}

/** API keys of consumers. */
export function createApiKey(
  { header, query, forward }: ApiKeyOptions,
  { app, date }: AuthenticatorContext,
): Authenticator {
  const keys = new ApiKeys(app.gateway.consumers, {
    digest: (key) => createHash('sha256').update(key).digest(),
    hex: (digest) => Buffer.from(digest).toString('hex'),
    equal: timingSafeEqual,
    now: date,
  })
  const name = header.toLowerCase()
  app.secretHeaders.add(name)
  if (query !== undefined) app.secretParameters.add(query)
  return {
    // No scheme of `WWW-Authenticate` stands for it.
    challenge: () => undefined,
    start() {
      for (const path of expiredKeys(app.gateway.consumers, 'apiKeys', date()))
        app.log.warn(`${path} has expired and is not taken any more: renew it, or take it out`)
    },
    prepare(request: Carrying) {
      const sent = singleHeader(request, name)
      const asked = query === undefined ? [] : request.takeQuery(query)
      if (sent === undefined && asked.length === 0) return
      const key = oneOf([...(sent === undefined ? [] : [sent]), ...asked])
      if (key !== undefined) request[KEY] = key
      if (!forward) delete request.headers[name]
    },
    authenticate(request: Carrying) {
      const key = request[KEY]
      return typeof key === 'string' ? keys.authenticate(key) : key
    },
  }
}
