import { GatewayError } from '../upstreams/errors.ts'

/** @param retryAfter seconds; undefined if waiting does not help */
export function rateLimited(retryAfter: string | undefined): GatewayError {
  return new GatewayError(
    'GTW_RATE_LIMITED',
    429,
    'client',
    retryAfter === undefined
      ? 'The request costs more than its limit ever allows'
      : `Too many requests; try again in ${retryAfter} s`,
    retryAfter === undefined ? {} : { headers: { 'retry-after': retryAfter } },
  )
}

/** @param plan that of the identity, for the log */
export function unknownPlan(plan: string): GatewayError {
  return new GatewayError('GTW_PLAN_UNKNOWN', 403, 'client', 'Your plan is not served here', {
    cause: new Error(`no plan is named "${plan}"; add it to \`rateLimits.plans\`, or set \`defaultPlan\``),
  })
}
