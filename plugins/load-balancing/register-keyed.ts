/** Registers the balancers that go by a request's key; sessions, zones and subsets go with any. */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { GatewayConfig } from '../config/define.ts'
import type { Input } from '../config/typed.ts'
import { parseDuration } from '../config/units.ts'
import type { Division } from '../upstreams/division.ts'
import { keyring } from './affinity/keyring.ts'
import { secretsOf } from './affinity/options.ts'
import { type Session, Sessions } from './affinity/sessions.ts'
import { maglev } from './choose/maglev.ts'
import { ringHash } from './choose/ring-hash.ts'
import { keyOf } from './hash/key-source.ts'
import { maglevOptions, ringHashOptions } from './hash/options.ts'
import { keySourcesOf } from './keyed-options.ts'
import { nested, withSubset } from './subset/subset.ts'
import { zoneAware } from './zone/zone-aware.ts'

declare module '../upstreams/contract.ts' {
  interface BalancerOptions {
    'ring-hash': Input<typeof ringHashOptions>
    maglev: Input<typeof maglevOptions>
  }
}

type UpstreamConfig = GatewayConfig['upstreams'][string]

const PRIVATE = /\b(?:private|no-store)\b/i
const FRESH = /\b(?:public|s-maxage|max-age)\b/i

/** A shared cache may keep it (RFC 9111, 3): a session told with it would be everybody's. */
function isShared(reply: FastifyReply): boolean {
  const control = String(reply.getHeader('cache-control') ?? '')
  return !PRIVATE.test(control) && (FRESH.test(control) || reply.hasHeader('expires'))
}

export function defineKeyed({ upstreams }: FastifyInstance): void {
  upstreams.defineBalancer('ring-hash', ringHash, ringHashOptions)
  upstreams.defineBalancer('maglev', maglev, maglevOptions)
}

/** Has each upstream placed by its policy, within zones and subsets where it has any. */
export function balanceKeyed(
  app: FastifyInstance,
  chosen: (name: string) => { readonly policy: string; readonly options: object },
): void {
  const sessions = new Map<string, Sessions>()
  for (const name of Object.keys(app.gateway.upstreams)) {
    const one = sessionsOf(app, name)
    if (one !== undefined) sessions.set(name, one)
    if (one !== undefined) app.upstreams.bindBy(name, (request) => one.bindingOf(request))
    const on = keySourcesOf(app.gateway.upstreams[name]!)
    if (on !== undefined) app.upstreams.keyBy(name, keyOf(on))
    const { policy, options } = chosen(name)
    app.upstreams.balance(name, policy, options, divisionOf(app.gateway.upstreams[name]!))
  }
  if (sessions.size > 0) giveCookies(app, sessions)
}

/** Zones, each divided by its subset; undefined if there are neither. */
function divisionOf({ zoneAware: zone, subset }: UpstreamConfig): Division | undefined {
  const within =
    subset === undefined ? undefined : withSubset({ ...subset, instance: subset.instance ?? hostname() })
  if (zone === undefined) return within
  return within === undefined ? zoneAware(zone) : nested(zoneAware(zone), within)
}

function sessionsOf({ gateway, upstreams }: FastifyInstance, name: string): Sessions | undefined {
  const affinity = gateway.upstreams[name]!.sessionAffinity
  const secrets = secretsOf(affinity?.secret)
  // Without a secret there is no start: the check has said so.
  if (affinity === undefined || secrets.length === 0) return undefined
  const ttl = affinity.ttl === 'session' ? 0 : (parseDuration(affinity.ttl) ?? 0)
  const sessions = new Sessions(
    { ...affinity, ttl },
    keyring(secrets, name),
    () => Date.now(),
    () => randomBytes(6).toString('base64url'),
  )
  for (const target of upstreams.upstream(name).targets) sessions.add(target)
  upstreams.onTargetChange(({ kind, target }) => {
    if (target.upstream !== name) return
    if (kind === 'added') sessions.add(target)
    if (kind === 'removed') sessions.remove(target)
  })
  return sessions
}

/** A session begins with an answer of a target's that is no error, and is told to the client with it. */
function giveCookies(app: FastifyInstance, all: ReadonlyMap<string, Sessions>): void {
  const { upstreams } = app.gateway
  app.addHook('onSend', (request, reply, _payload, done) => {
    const { exchange } = request
    const sessions = exchange === null ? undefined : all.get(exchange.plan.upstream)
    if (exchange === null || sessions === undefined || reply.statusCode >= 500) return done()
    const answered = exchange.attempts.find(({ decision }) => decision === 'commit')?.target
    if (answered === undefined || isShared(reply)) return done()
    const { plan } = exchange
    const { secure } = upstreams[plan.upstream]!.sessionAffinity as { secure: boolean | 'auto' }
    const overTls = secure === 'auto' ? request.protocol === 'https' : secure
    const cookie = sessions.cookieFor(plan.binding as Session | undefined, answered, overTls)
    if (cookie !== undefined) reply.header('set-cookie', cookie)
    done()
  })
}
