import type { Problem } from '../config/errors.ts'
import type { CompiledRoute } from './compile.ts'

/**
 * Which routes of the config guard the endpoints that plugins and files in `routes/` add to Fastify: those with
 * `endpoint: true` and the very same path.
 */
export class Endpoints {
  readonly #routes: readonly CompiledRoute[]
  readonly #tied = new Set<CompiledRoute>()

  constructor(routes: readonly CompiledRoute[]) {
    this.#routes = routes
  }

  /** The route that guards an endpoint; undefined for one that stands open. */
  routeOf(methods: readonly string[], url: string): CompiledRoute | undefined {
    const route = this.#routes.find(
      ({ config }) =>
        config.endpoint === true &&
        config.path === url &&
        methods.every((method) => takes(config.methods, method)),
    )
    if (route !== undefined) this.#tied.add(route)
    return route
  }

  /** An endpoint whose path was misspelt in the config would stand open: those that guard nothing. */
  problems(): readonly Problem[] {
    return this.#routes.flatMap((route, index) => {
      const { endpoint, path, methods } = route.config
      if (endpoint !== true || this.#tied.has(route)) return []
      const asked = methods === undefined ? '' : ` for ${methods.join(', ')}`
      const message = `no file in routes/ and no plugin answers "${path}"${asked}; write the path as it stands there`
      return [{ path: `routes[${index}].endpoint`, message }]
    })
  }
}

function takes(methods: readonly string[] | undefined, method: string): boolean {
  if (methods === undefined || methods.includes(method)) return true
  return method === 'HEAD' && methods.includes('GET')
}
