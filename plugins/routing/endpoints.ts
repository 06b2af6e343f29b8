import type { Problem } from '../config/errors.ts'
import type { CompiledRoute } from './compile.ts'

/**
 * Which routes of the config guard the endpoints that plugins and files in `routes/` add to Fastify: those with
 * `endpoint: true` and the very same path, but for a slash at its end: of the endpoint `/` under a prefix Fastify makes
 * two, with and without one.
 */
export class Endpoints {
  readonly #routes: readonly CompiledRoute[]
  readonly #tied = new Set<CompiledRoute>()
  readonly #early = new Set<string>()

  constructor(routes: readonly CompiledRoute[]) {
    this.#routes = routes
  }

  /** The route that guards an endpoint; undefined for one that stands open. */
  routeOf(methods: readonly string[], url: string): CompiledRoute | undefined {
    const routes = this.#routes.filter(
      ({ config }) =>
        config.endpoint === true &&
        withoutSlash(String(config.path)) === withoutSlash(url) &&
        methods.every((method) => takes(config.methods, method)),
    )
    const route = routes.find(({ config }) => config.path === url) ?? routes[0]
    if (route !== undefined) this.#tied.add(route)
    return route
  }

  /** An endpoint was added by a plugin that was loaded before the gateway's own, and would have none of their hooks. */
  tooEarly(url: string): void {
    this.#early.add(url)
  }

  /** What would stand open: endpoints whose path was misspelt in the config, and those that were added too early. */
  problems(): readonly Problem[] {
    const early = [...this.#early].map((url) => ({
      path: 'plugins',
      message: `the endpoint "${url}" is added before there are guards and logs for it; move it to a file in routes/, or wrap its plugin by fastify-plugin with \`dependencies: ['routing']\``,
    }))
    const unguarded = this.#routes.flatMap((route, index) => {
      const { endpoint, path, methods } = route.config
      if (endpoint !== true || this.#tied.has(route)) return []
      const asked = methods === undefined ? '' : ` for ${methods.join(', ')}`
      const message = `no file in routes/ and no plugin answers "${path}"${asked}; write the path as it stands there`
      return [{ path: `routes[${index}].endpoint`, message }]
    })
    return [...early, ...unguarded]
  }
}

function withoutSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}

function takes(methods: readonly string[] | undefined, method: string): boolean {
  if (methods === undefined || methods.includes(method)) return true
  return method === 'HEAD' && methods.includes('GET')
}
