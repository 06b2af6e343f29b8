import type { RouteConfig } from '../config/define.ts'
import { compileHeaderEdits, compileQueryEdits, type Headers } from './edits.ts'
import { compileRewrite, type Rewrite } from './rewrite.ts'
import type { Params, RouteMatch } from './route-match.ts'
import { compileTemplate } from './template.ts'

/** Methods of a route that names none. TRACE and the rest are served where they are asked for. */
export const DEFAULT_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY'] as const

/** A route of the config, ready to run. */
export interface CompiledRoute {
  readonly name: string
  readonly config: RouteConfig
  readonly match: RouteMatch & { readonly methods: readonly string[] }
  readonly rewrite: Rewrite
  readonly query: (query: string) => string
  readonly requestEdits: ((headers: Headers) => void) | undefined
  readonly responseEdits: ((headers: Headers) => void) | undefined
  /** Whether this request may be repeated; undefined leaves it to the method. */
  readonly repeatable: (headers: Readonly<Headers>) => boolean | undefined
  readonly redirect: ((params: Params) => string) | undefined
}

function regex(value: string | RegExp): string | RegExp {
  return typeof value === 'string' && value.startsWith('~') ? new RegExp(value.slice(1)) : value
}

function matchers(record: Readonly<Record<string, string | RegExp | boolean>> | undefined) {
  return Object.fromEntries(
    Object.entries(record ?? {}).map(([name, value]) => [
      name,
      typeof value === 'boolean' ? value : regex(value),
    ]),
  )
}

/** What the route matches, in the router's words. Throws if a regular expression cannot be compiled. */
export function routeMatch(config: RouteConfig): CompiledRoute['match'] {
  return {
    path: regex(config.path),
    methods: config.methods ?? DEFAULT_METHODS,
    headers: matchers(config.headers),
    query: matchers(config.query),
    cookies: matchers(config.cookies),
    ...(config.host === undefined ? {} : { host: config.host }),
  }
}

function repeatableBy(rule: RouteConfig['repeatable']): CompiledRoute['repeatable'] {
  if (rule !== 'idempotency-key') return () => rule
  return (headers) => (headers['idempotency-key'] === undefined ? undefined : true)
}

/** Throws an Error that names the remedy if something in the route does not go together. */
export function compileRoute(config: RouteConfig): CompiledRoute {
  const match = routeMatch(config)
  const { stripPrefix, rewrite } = config
  return {
    name: config.name ?? `${config.host?.join(',') ?? ''}${config.path}`,
    config,
    match,
    rewrite: compileRewrite({
      path: match.path,
      ...(stripPrefix === undefined ? {} : { stripPrefix }),
      ...(rewrite === undefined ? {} : { rewrite }),
    }),
    query: compileQueryEdits(config.requestQuery),
    requestEdits: compileHeaderEdits(config.requestHeaders),
    responseEdits: compileHeaderEdits(config.responseHeaders),
    repeatable: repeatableBy(config.repeatable),
    redirect: config.redirect === undefined ? undefined : compileTemplate(config.redirect.to, match.path),
  }
}
