/** What may be wrong with the cookies of sessions. Messages never show a secret. */
import type { GatewayConfig } from '../../config/define.ts'
import type { Problem } from '../../config/errors.ts'
import { written } from '../../config/messages.ts'
import { parseDuration } from '../../config/units.ts'

const SHORTEST_SECRET = 16
const REMEDY = 'set it from the environment: `secret: process.env.SESSION_SECRET`'

/** Those that are set, the first of which signs. */
export function secretsOf(secret: string | readonly (string | undefined)[] | undefined): readonly string[] {
  return [secret].flat().filter((one) => one !== undefined)
}

export function secretProblem(secret: unknown): string | undefined {
  const secrets = (Array.isArray(secret) ? secret : [secret]).filter((one) => one !== undefined)
  if (secrets.length === 0) return `holds no secret; ${REMEDY}`
  for (const one of secrets) {
    if (typeof one !== 'string')
      return `must be text or a list of texts, is or holds ${typeof one}; ${REMEDY}`
    if (one.length < SHORTEST_SECRET) {
      return `must have ${SHORTEST_SECRET} characters or more, has ${one.length}; make one with \`openssl rand -base64 32\``
    }
  }
  return undefined
}

/** Chrome keeps no cookie for longer (RFC 6265bis, 5.5). */
const LONGEST_TTL = '400d'

export function ttlProblem(ttl: unknown): string | undefined {
  if (ttl === 'session') return undefined
  const ms = parseDuration(ttl)
  if (ms !== undefined && ms >= 1000 && ms <= (parseDuration(LONGEST_TTL) as number)) return undefined
  return `must be "session" or a duration from "1s" to "${LONGEST_TTL}", is ${JSON.stringify(ttl)}`
}

type Affinity = GatewayConfig['upstreams'][string]['sessionAffinity']

export function cookieProblems(upstream: string, affinity: Affinity): Problem[] {
  if (affinity === undefined) return []
  const { cookie, secret, secure, sameSite, path } = affinity
  const at = (key: string): string => written('upstreams', upstream, 'sessionAffinity', key)
  const problems: Problem[] = []
  if (secret === undefined) problems.push({ path: at('secret'), message: `is required; ${REMEDY}` })
  if (sameSite === 'none' && secure === false) {
    const message = 'false does not go with sameSite "none", which browsers take over TLS only; write true'
    problems.push({ path: at('secure'), message })
  }
  const prefix = /^__(?:host|secure)-/i.exec(cookie)?.[0]
  if (prefix !== undefined && secure !== true) {
    const message = `must be true, since browsers refuse a cookie "${prefix}..." otherwise`
    problems.push({ path: at('secure'), message })
  }
  if (prefix?.toLowerCase() === '__host-' && path !== '/') {
    problems.push({
      path: at('path'),
      message: `must be "/", since browsers refuse a cookie "${prefix}..." otherwise`,
    })
  }
  return problems
}

function overlap(a: string, b: string): boolean {
  const [x, y] = [a.toLowerCase(), b.toLowerCase()]
  const within = (host: string, pattern: string) =>
    pattern.startsWith('*.') && host.endsWith(pattern.slice(1))
  return x === y || within(x, y) || within(y, x)
}

/** Two upstreams that clients see as one host would overwrite each other's cookie with every answer. */
export function cookieClashes({ upstreams, routes }: GatewayConfig): Problem[] {
  const hostsOf = (upstream: string): (string | undefined)[] =>
    routes
      .filter((route) => route.upstream === upstream || Object.hasOwn(route.split ?? {}, upstream))
      .flatMap(({ host }) => host ?? [undefined])
  const sessions = Object.entries(upstreams).flatMap(([name, { sessionAffinity }]) =>
    sessionAffinity === undefined
      ? []
      : [{ name, hosts: hostsOf(name), cookie: `${sessionAffinity.cookie};${sessionAffinity.path}` }],
  )
  return sessions.flatMap(({ name, hosts, cookie }, i) => {
    const other = sessions
      .slice(0, i)
      .find(
        (one) =>
          one.cookie === cookie &&
          hosts.some((a) => one.hosts.some((b) => a === undefined || b === undefined || overlap(a, b))),
      )
    if (other === undefined) return []
    const message = `upstream "${other.name}" has a cookie of this name and path for the same host; give each its own, like "session-${name}"`
    return [{ path: written('upstreams', name, 'sessionAffinity', 'cookie'), message }]
  })
}
