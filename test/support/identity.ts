import type { FastifyInstance } from 'fastify'
import { GatewayError } from '../../plugins/upstreams/errors.ts'
import type { Identity } from '../../plugins/upstreams/identity.ts'

/** A config's `auth` that a route may demand, for tests that say themselves who calls. */
export const TEST_AUTH = {
  jwt: { issuers: [{ issuer: 'https://id.example.com/', audience: 'test', secret: 'x'.repeat(32) }] },
}

export function identityOf(more: Partial<Identity> = {}): Identity {
  return {
    id: 'test ann',
    kind: 'jwt',
    name: 'ann',
    consumer: undefined,
    plan: undefined,
    scopes: [],
    roles: [],
    claims: {},
    ...more,
  }
}

/** The header by which a test says who calls: JSON of what the identity has besides the defaults. */
export const IDENTITY = 'x-test-identity'

/** Takes the test's word for who calls, on routes that ask. */
export async function believeTests(app: FastifyInstance): Promise<void> {
  app.addGuard({
    name: 'test-identity',
    stage: 'authenticate',
    forRoute: ({ config }) =>
      (config as { auth?: unknown }).auth === undefined
        ? undefined
        : (request) => {
            const told = request.headers[IDENTITY]
            if (typeof told !== 'string') return
            if (told === 'bad') throw new GatewayError('GTW_UNAUTHENTICATED', 401, 'client', 'bad')
            request.identity = identityOf(JSON.parse(told))
          },
  })
}

export const as = (more: Partial<Identity> = {}) => ({ [IDENTITY]: JSON.stringify(more) })
