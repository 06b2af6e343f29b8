import { clientNetwork } from '../upstreams/client-network.ts'
import type { Identity } from '../upstreams/identity.ts'
import type { By, Rule } from './rule.ts'

/** What a request is told apart by. A FastifyRequest is one. */
export interface KeyedRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly ip: string
  readonly identity: Pick<Identity, 'id' | 'consumer'> | null
}

/** An expression of the config, compiled; throws for a request of which it has no value. Values are JSON's, and bigints. */
export type Evaluate = (request: KeyedRequest) => unknown

/** Compiles an expression. Throws if it can never have a value that serves for this. */
export type Compile = (expression: string, wanted: 'key' | 'number') => Evaluate

function own(headers: KeyedRequest['headers'], name: string): string | undefined {
  if (!Object.hasOwn(headers, name)) return undefined
  const value = headers[name]
  return Array.isArray(value) ? value.join(',') : value
}

/** What `use` makes of the value, or undefined: whatever a client sends is no reason to fail. */
function evaluated<T>(evaluate: Evaluate, request: KeyedRequest, use: (value: unknown) => T): T | undefined {
  try {
    return use(evaluate(request))
  } catch {
    return undefined
  }
}

/**
 * What tells the requests of a limit apart. The first letter says what it is, so that no header can be made to look
 * like somebody's address. Requests that an expression has no value for are counted together.
 */
export function keyReader(
  { by, ipv6Prefix }: { readonly by: By; readonly ipv6Prefix: number },
  compile: Compile,
): (request: KeyedRequest) => string {
  const address = ({ ip }: KeyedRequest): string => `a${clientNetwork(ip, ipv6Prefix)}`
  if (typeof by === 'object') {
    const evaluate = compile(by.expression, 'key')
    return (request) => evaluated(evaluate, request, keyOf) ?? 'x'
  }
  switch (by) {
    case 'all':
      return () => ''
    case 'address':
      return address
    case 'identity':
      return (request) => (request.identity === null ? address(request) : `i${request.identity.id}`)
    case 'consumer':
      return (request) => {
        const { identity } = request
        if (identity === null) return address(request)
        return identity.consumer === undefined ? `i${identity.id}` : `c${identity.consumer}`
      }
    default: {
      const name = by.slice('header:'.length).toLowerCase()
      return (request) => {
        const value = own(request.headers, name)
        return value === undefined || value === '' ? address(request) : `h${value}`
      }
    }
  }
}

function keyOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'object') return `x=${value}`
  return `x=${JSON.stringify(value, (_name, inner) => (typeof inner === 'bigint' ? String(inner) : inner))}`
}

/**
 * What a request costs: what an expression says, rounded up. Where that has no value, or is no number from 0 up, all that
 * may come at once: a client that says something twice, or in a way that only the upstream understands, must not come in
 * cheaper by it.
 * @param most what may come at once
 */
export function costReader(
  { cost }: Pick<Rule, 'cost'>,
  compile: Compile,
  most: number,
): (request: KeyedRequest) => number {
  if (typeof cost === 'number') return () => cost
  const evaluate = compile(cost.expression, 'number')
  return (request) => {
    const value = evaluated(evaluate, request, (value) => value)
    const number = typeof value === 'number' || typeof value === 'bigint' ? Number(value) : Number.NaN
    return number >= 0 ? Math.min(Math.ceil(number), Number.MAX_SAFE_INTEGER) : most
  }
}
