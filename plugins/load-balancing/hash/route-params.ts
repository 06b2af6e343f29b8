/** Whether routes have the parameters that keys are taken from. */
import type { GatewayConfig } from '../../config/define.ts'
import type { Problem } from '../../config/errors.ts'
import { written } from '../../config/messages.ts'
import { type KeySources, sourcesOf } from './key-source.ts'

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

/**
 * A request is placed by chance where its route has nothing that a key could be taken from: that is a problem, and so
 * is a parameter in a list that no route has.
 */
export function routeParamProblems(
  { routes }: GatewayConfig,
  upstream: string,
  on: KeySources,
  at: string,
): Problem[] {
  const sources = sourcesOf(on)
  const wanted = sources.flatMap((source) =>
    typeof source === 'object' && 'param' in source ? [source.param] : [],
  )
  if (wanted.length === 0) return []
  const there = routes.flatMap((route, index) =>
    route.upstream === upstream || Object.hasOwn(route.split ?? {}, upstream)
      ? [{ path: route.path, where: written('routes', index), params: paramsOf(route.path) }]
      : [],
  )
  const problems: Problem[] = []
  const nowhere = wanted.filter((name) => !there.some(({ params }) => params.includes(name)))
  for (const name of there.length === 0 ? [] : nowhere) {
    const message = `no route to "${upstream}" has a parameter "${name}"; put ":${name}" into their paths, or take the key from elsewhere`
    problems.push({ path: at, message })
  }
  if (nowhere.length > 0 || wanted.length < sources.length) return problems
  for (const { path, where, params } of there) {
    if (wanted.some((name) => params.includes(name))) continue
    const names = wanted.map((name) => `":${name}"`).join(' or ')
    const message = `${where} has no ${names} in its path ${String(path)}, so its requests would be placed by chance; put it there, or name another source after it: [{ param: '${wanted[0]}' }, 'client-address']`
    problems.push({ path: at, message })
  }
  return problems
}
