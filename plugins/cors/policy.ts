/** What answers say to browsers of other origins (Fetch standard, 3.2). */
import { type OriginPattern, originMatcher } from './origins.ts'

export interface CorsOptions {
  readonly origins: readonly OriginPattern[]
  readonly methods?: readonly string[]
  readonly headers?: readonly string[]
  readonly exposedHeaders: readonly string[]
  readonly credentials: boolean
  /** Milliseconds. */
  readonly maxAge: number
  readonly privateNetwork: boolean
}

type Headers = Readonly<Record<string, string | string[] | undefined>>

/** Headers of an answer, name and value. */
export type Answer = readonly (readonly [name: string, value: string])[]

const TOKEN_LIST = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*$/

/** Whether a request asks beforehand, for another one, whether that may be made. */
export function isPreflight(method: string, headers: Headers): boolean {
  return (
    method === 'OPTIONS' &&
    headers['origin'] !== undefined &&
    headers['access-control-request-method'] !== undefined
  )
}

/** Whether a page of this very host asks, whatever its scheme: TLS may end before us. */
function isOwn(origin: string, headers: Headers): boolean {
  const host = headers['host'] ?? headers[':authority']
  return typeof host === 'string' && origin.slice(origin.indexOf('://') + 3) === host.toLowerCase()
}

export class CorsPolicy {
  readonly #options: CorsOptions
  readonly #methods: string
  readonly #any: boolean
  readonly #matches: (origin: string) => boolean

  /** @param methods those that the route takes */
  constructor(options: CorsOptions, methods: readonly string[]) {
    this.#options = options
    this.#methods = (options.methods ?? methods).join(', ')
    this.#any = options.origins.includes('*')
    this.#matches = originMatcher(options.origins)
  }

  /** Whether answers differ by the origin that asks, so that caches have to tell them apart. */
  get varies(): boolean {
    return !this.#any
  }

  #allows({ origin }: Headers): boolean {
    return typeof origin === 'string' && (this.#any || this.#matches(origin))
  }

  /**
   * Whether the request is an upgrade by a page of an origin that may not make it: browsers ask nobody before they open
   * a WebSocket, and send cookies along (cross-site WebSocket hijacking).
   */
  hijacks(headers: Headers): boolean {
    const { origin, upgrade } = headers
    if (upgrade === undefined || typeof origin !== 'string') return false
    return !this.#allows(headers) && !isOwn(origin, headers)
  }

  /** For the answer to any request but a preflight; none where the origin may not read it. */
  answer(headers: Headers): Answer {
    if (!this.#allows(headers)) return []
    const { exposedHeaders } = this.#options
    const said = this.#origin(headers)
    if (exposedHeaders.length > 0) said.push(['access-control-expose-headers', exposedHeaders.join(', ')])
    return said
  }

  /** For the answer to a preflight; undefined where the origin may not make the request. */
  preflight(headers: Headers): Answer | undefined {
    if (!this.#allows(headers)) return undefined
    const { headers: allowed, maxAge, privateNetwork } = this.#options
    const said = this.#origin(headers)
    said.push(['access-control-allow-methods', this.#methods])
    const asked = headers['access-control-request-headers']
    if (allowed !== undefined) {
      if (allowed.length > 0) said.push(['access-control-allow-headers', allowed.join(', ')])
    } else if (typeof asked === 'string' && TOKEN_LIST.test(asked)) {
      said.push(['access-control-allow-headers', asked])
    }
    said.push(['access-control-max-age', String(Math.floor(maxAge / 1000))])
    if (privateNetwork && headers['access-control-request-private-network'] === 'true')
      said.push(['access-control-allow-private-network', 'true'])
    return said
  }

  /** What a cache has to tell preflights apart by. */
  get preflightVary(): string {
    const names = this.varies ? ['Origin'] : []
    if (this.#options.headers === undefined) names.push('Access-Control-Request-Headers')
    if (this.#options.privateNetwork) names.push('Access-Control-Request-Private-Network')
    return names.join(', ')
  }

  #origin({ origin }: Headers): [string, string][] {
    const said: [string, string][] = [['access-control-allow-origin', this.#any ? '*' : String(origin)]]
    if (this.#options.credentials) said.push(['access-control-allow-credentials', 'true'])
    return said
  }
}

/** `Vary` with another name in it. */
export function varying(before: string, name: string): string {
  if (before === '') return name
  const names = before.toLowerCase().split(',')
  return names.some((one) => one.trim() === '*' || one.trim() === name.toLowerCase())
    ? before
    : `${before}, ${name}`
}
