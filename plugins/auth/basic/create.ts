import type { FastifyRequest } from 'fastify'
import type { Resolved } from '../../config/typed.ts'
import { type Authenticator, type AuthenticatorContext, Refusal } from '../authenticator.ts'
import { authorization } from '../credentials.ts'
import { readBasic } from './header.ts'
import { processTag, verifyPassword } from './node.ts'
import type { basicOptions } from './options.ts'
import { Passwords } from './passwords.ts'
import { Turns } from './turns.ts'

type BasicOptions = Resolved<typeof basicOptions>

declare module '../authenticator.ts' {
  interface AuthenticatorKinds {
    basic: BasicOptions
  }
}

/** Where the credentials are kept once they have been taken off their request. */
const SENT = Symbol('holdfast.basic')
type Carrying = FastifyRequest & { [SENT]?: string | Refusal }

const MALFORMED = new Refusal('invalid_request', 'The name and the password cannot be read')

/** Names and passwords of consumers (RFC 7617). */
export function createBasic(options: BasicOptions, { app, now, realm }: AuthenticatorContext): Authenticator {
  const turns = new Turns(options.concurrency, options.queue)
  const work = { verify: verifyPassword, tag: processTag(), now }
  const passwords = new Passwords(app.gateway.consumers, options, work, turns)
  app.upstreams.measure({
    name: 'auth_passwords_total',
    help: 'Passwords that were hashed, and requests that were turned away because too many waited for that.',
    type: 'counter',
    labels: ['result'],
    collect(add) {
      add(passwords.hashed, 'hashed')
      add(turns.refused, 'refused')
    },
  })
  app.upstreams.measure({
    name: 'auth_passwords_waiting',
    help: 'Requests that wait for their password to be hashed.',
    type: 'gauge',
    labels: [],
    collect: (add) => add(turns.waiting),
  })
  return {
    challenge: () => `Basic realm="${realm}", charset="UTF-8"`,
    prepare(request: Carrying) {
      const sent = authorization(request, 'basic')
      if (sent === undefined) return
      request[SENT] = sent
      if (!options.forward) delete request.headers.authorization
    },
    authenticate(request: Carrying) {
      const sent = request[SENT]
      if (typeof sent !== 'string') return sent
      const given = readBasic(sent, (text) => Buffer.from(text, 'base64'))
      return given === undefined ? MALFORMED : passwords.authenticate(given.name, given.password)
    },
  }
}
