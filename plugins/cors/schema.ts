import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import {
  custom,
  duration,
  flag,
  guarded,
  list,
  nonEmptyList,
  object,
  optional,
  switchable,
  text,
  withDefault,
} from '../config/kit.ts'
import type { Resolved } from '../config/typed.ts'
import { type OriginPattern, refuseOrigin } from './origins.ts'
import { corsProblems } from './problems.ts'

const origin = custom<OriginPattern>(refuseOrigin, {
  remedy: 'write "https://app.example.com", "https://*.example.com", a regular expression or "*"',
})
const header = text({
  pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
  remedy: 'write the name of a header: "x-total"',
})

const properties = {
  /**
   * Origins whose pages may read answers: to the letter, `https://*.example.com` for all below it, a RegExp (or `~`
   * and the text of one) for the whole of it, or `'*'` for all.
   */
  origins: optional(nonEmptyList(origin, { noun: 'origin' })),
  /** Methods that they may use. Default: those that the route takes. */
  methods: optional(
    nonEmptyList(text({ pattern: '^[A-Z][A-Z-]*$', remedy: 'write "GET"' }), { noun: 'method' }),
  ),
  /** Headers that they may send. Default: those that a preflight asks for. */
  headers: optional(list(header)),
  /** Headers of answers that they may read besides the few that all may. Default none. */
  exposedHeaders: withDefault(list(header), []),
  /** Browsers may send cookies and the like along, and pages may then read the answer. Default false. */
  credentials: withDefault(flag(), false),
  /** How long browsers may remember the answer to a preflight. Default 10m. */
  maxAge: withDefault(duration({ maximum: '1d' }), '10m'),
  /** Pages of public sites may reach this gateway though it is in a private network. Default false. */
  privateNetwork: withDefault(flag(), false),
}

/** Cross-origin requests of browsers, for routes that say nothing of their own. Default: browsers are told nothing. */
const cors = optional(object(properties))
/** Cross-origin requests of browsers, in place of what holds for the gateway. `false` is none. */
const routeCors = optional(
  switchable({
    ...properties,
  }),
)

export type CorsConfig = Resolved<typeof cors>

export const schema = { gateway: { cors: guarded(cors) }, route: { cors: guarded(routeCors) } }

declare module '../config/define.ts' {
  interface GatewaySchema {
    cors: typeof cors
  }
  interface RouteSchema {
    cors: typeof routeCors
  }
}

export async function check(config: GatewayConfig): Promise<readonly Problem[]> {
  return corsProblems(config)
}
