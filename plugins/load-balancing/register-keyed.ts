/** Registers the balancers that go by a request's key, and wraps sessions, zones and subsets around any. */
import { hostname } from 'node:os'
import type { FastifyInstance } from 'fastify'
import type { Input } from '../config/typed.ts'
import { parseDuration } from '../config/units.ts'
import type { Balancer, BalancerWrapper, Target } from '../upstreams/contract.ts'
import { Eligible, withAffinity } from './affinity/affinity.ts'
import { keyring } from './affinity/keyring.ts'
import { secretsOf } from './affinity/options.ts'
import { Sessions } from './affinity/sessions.ts'
import { maglev } from './choose/maglev.ts'
import { ringHash } from './choose/ring-hash.ts'
import { keyOf } from './hash/key-source.ts'
import type { maglevOptions, ringHashOptions } from './hash/options.ts'
import { keySourcesOf } from './keyed-options.ts'
import { withSubset } from './subset/subset.ts'
import { zoneAware } from './zone/zone-aware.ts'

declare module '../upstreams/contract.ts' {
  interface BalancerOptions {
    'ring-hash': Input<typeof ringHashOptions>
    maglev: Input<typeof maglevOptions>
  }
}

type Known = () => readonly Target[]

/** An answer that a shared cache may keep would give one client's session to all. */
const SHARED = /\b(?:public|s-maxage)\b/i

export function defineKeyed({ upstreams }: FastifyInstance): void {
  upstreams.defineBalancer('ring-hash', ringHash)
  upstreams.defineBalancer('maglev', maglev)
}

/** Has each upstream placed by its policy, in what is to be wrapped around that. */
export function balanceKeyed(
  app: FastifyInstance,
  chosen: (name: string) => { readonly policy: string; readonly options: object },
): void {
  const sessions = new Map<string, Sessions>()
  for (const name of Object.keys(app.gateway.upstreams)) {
    const one = sessionsOf(app, name)
    if (one !== undefined) sessions.set(name, one)
    keyRequests(app, name, one)
    const { policy, options } = chosen(name)
    app.upstreams.balance(name, policy, options, wrapperOf(app, name, one))
  }
  if (sessions.size > 0) giveCookies(app, sessions)
}

function keyRequests(
  { gateway, upstreams }: FastifyInstance,
  name: string,
  sessions: Sessions | undefined,
): void {
  const on = keySourcesOf(gateway.upstreams[name]!)
  const key = on === undefined ? undefined : keyOf(on)
  if (sessions !== undefined) {
    upstreams.keyBy(name, (request) => sessions.keyOf(request, key === undefined ? '' : key(request)))
  } else if (key !== undefined) upstreams.keyBy(name, key)
}

/** Affinity over zones over a subset over the policy; undefined if there is nothing to wrap. */
function wrapperOf(
  app: FastifyInstance,
  name: string,
  sessions: Sessions | undefined,
): BalancerWrapper | undefined {
  const { zoneAware: zone, subset } = app.gateway.upstreams[name]!
  if (zone === undefined && subset === undefined && sessions === undefined) return undefined
  const upstream = app.upstreams.upstream(name)
  const eligible = new Eligible(() => upstream.eligible())
  const instance = subset?.instance ?? `${hostname()} ${process.pid}`
  return (context, create) => {
    const within = (known: Known): Balancer =>
      subset === undefined ? create() : withSubset(create(), { size: subset.size, instance }, known)
    const all: Known = () => upstream.targets
    const placed = zone === undefined ? within(all) : zoneAware(context, zone, all, within)
    return sessions === undefined ? placed : withAffinity(placed, sessions, eligible)
  }
}

function sessionsOf({ gateway, upstreams }: FastifyInstance, name: string): Sessions | undefined {
  const affinity = gateway.upstreams[name]!.sessionAffinity
  const secrets = secretsOf(affinity?.secret)
  // Without a secret there is no start: the check has said so.
  if (affinity === undefined || secrets.length === 0) return undefined
  const ttl = affinity.ttl === 'session' ? 0 : (parseDuration(affinity.ttl) ?? 0)
  const sessions = new Sessions({ ...affinity, ttl }, keyring(secrets, name), () => Date.now())
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
    if (answered === undefined || SHARED.test(String(reply.getHeader('cache-control') ?? ''))) return done()
    const { plan } = exchange
    const { secure } = upstreams[plan.upstream]!.sessionAffinity as { secure: boolean | 'auto' }
    const overTls = secure === 'auto' ? request.protocol === 'https' : secure
    const cookie = sessions.cookieFor(request, plan.key, answered, overTls)
    if (cookie !== undefined) reply.header('set-cookie', cookie)
    done()
  })
}
