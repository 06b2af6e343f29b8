/** What a schema cannot say of `securityHeaders`. */
import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import { written } from '../config/messages.ts'
import type { SecurityHeadersConfig } from './schema.ts'

const YEAR_MS = 365 * 86_400_000
/** Without these an answer cannot be read, or is none. */
const NEEDED = new Set([
  'content-encoding',
  'content-length',
  'content-type',
  'transfer-encoding',
  'connection',
])

export function securityHeaderProblems({ securityHeaders, routes }: GatewayConfig): Problem[] {
  const problems: Problem[] = []
  const look = (config: SecurityHeadersConfig | undefined, ...steps: (string | number)[]): void => {
    const hsts = config?.hsts
    if (hsts?.preload === true && (!hsts.includeSubDomains || hsts.maxAge < YEAR_MS)) {
      const message =
        'is taken by browsers only with `includeSubDomains: true` and a `maxAge` of a year; set both'
      problems.push({ path: written(...steps, 'hsts', 'preload'), message })
    }
    for (const name of config?.remove ?? []) {
      if (NEEDED.has(name))
        problems.push({
          path: written(...steps, 'remove'),
          message: `"${name}" says how to read the answer; leave it`,
        })
    }
  }
  look(securityHeaders, 'securityHeaders')
  for (const [index, route] of routes.entries())
    look(route.securityHeaders, 'routes', index, 'securityHeaders')
  return problems
}
