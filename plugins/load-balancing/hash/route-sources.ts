/** Whether routes have what keys are taken from: parameters of their paths, and who a request comes from. */
import type { GatewayConfig } from '../../config/define.ts'
import type { Problem } from '../../config/errors.ts'
import { written } from '../../config/messages.ts'
import { type KeySource, type KeySources, sourcesOf } from './key-source.ts'

/** Names that a match of this path provides: `:name`, `*`, a regular expression's groups by number and by name. */
export function paramsOf(path: string | RegExp): readonly string[] {
  if (typeof path === 'string' && !path.startsWith('~')) {
    return path.split('/').flatMap((part) => {
      if (part === '*') return ['*']
      return part.startsWith(':') ? [part.slice(1)] : []
    })
  }
  try {
    const [source, flags] = typeof path === 'string' ? [path.slice(1), ''] : [path.source, path.flags]
    const groups = new RegExp(`(?:${source})|`, flags.replace(/[gy]/g, '')).exec('')
    const numbers = Array.from({ length: (groups?.length ?? 1) - 1 }, (_, i) => String(i + 1))
    return [...numbers, ...Object.keys(groups?.groups ?? {})]
  } catch {
    // No regular expression: that is said where routes are read.
    return []
  }
}

/** What a route has to have for a source to say anything, and what is to be done where it has not. */
interface Needed {
  readonly what: string
  readonly remedy: string
  has(route: Route): boolean
}

type Route = GatewayConfig['routes'][number]

/** Undefined for what every request may bring. */
function neededFor(source: KeySource): Needed | undefined {
  if (source === 'identity') {
    const remedy = 'give it `auth`'
    // The plugin `auth` may have been taken out, and its key with it.
    return {
      what: '`auth`',
      remedy,
      has: (route) => (route as { auth?: unknown }).auth !== undefined,
    }
  }
  if (typeof source !== 'object' || !('param' in source)) return undefined
  const { param } = source
  return {
    what: `":${param}" in its path`,
    remedy: `put ":${param}" there`,
    has: ({ path }) => paramsOf(path).includes(param),
  }
}

/**
 * A request is placed by chance where its route has nothing that a key could be taken from: that is a problem, and so
 * is a source in a list that no route has.
 */
export function routeSourceProblems(
  { routes }: GatewayConfig,
  upstream: string,
  on: KeySources,
  at: string,
): Problem[] {
  const there = [...routes.entries()].filter(
    ([, route]) => route.upstream === upstream || Object.hasOwn(route.split ?? {}, upstream),
  )
  if (there.length === 0) return []
  const sources = sourcesOf(on)
  const needed = sources.map(neededFor).filter((one) => one !== undefined)
  const nowhere = needed.filter(({ has }) => !there.some(([, route]) => has(route)))
  const problems = nowhere.map(({ what, remedy }) => ({
    path: at,
    message: `no route to "${upstream}" has ${what}; ${remedy}, or take the key from elsewhere`,
  }))
  if (problems.length > 0 || needed.length < sources.length) return problems
  for (const [index, route] of there) {
    if (needed.some(({ has }) => has(route))) continue
    const lacks = needed.map(({ what }) => what).join(' and no ')
    const list = [...sources, 'client-address' as const].map(inWords).join(', ')
    const message = `${written('routes', index)} has no ${lacks} (${String(route.path)}), so its requests would be placed by chance; ${needed[0]?.remedy}, or name another source as the last one: [${list}]`
    problems.push({ path: at, message })
  }
  return problems
}

function inWords(source: KeySource): string {
  if (typeof source === 'string') return `'${source}'`
  const [[kind = '', name = ''] = []] = Object.entries(source)
  return `{ ${kind}: '${name}' }`
}
