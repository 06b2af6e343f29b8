/** Lets a service decide: what it is told of a request, and what is made of its answer. */
import { withoutOwnHeaders } from '../../config/own-headers.ts'
import { GatewayError } from '../../upstreams/errors.ts'
import { ExpiringMap } from '../../upstreams/expiring-map.ts'
import type { ServiceBreaker } from '../../upstreams/service-breaker.ts'
import type { Authorizer, Verdict } from '../authorizer.ts'
import { undecided } from '../errors.ts'
import type { ExternalConfig } from '../schema.ts'

type Request = Parameters<Authorizer>[0]
type Headers = Record<string, string | string[] | undefined>

export interface Answer {
  readonly status: number
  readonly headers: Headers
}

/** What became of the questions of one route. Grows only. */
export interface ExternalTally {
  allowed: number
  denied: number
  failed: number
  /** Answered from what was kept. */
  cached: number
}

export interface ExternalContext {
  readonly breaker: ServiceBreaker
  /** Monotonic milliseconds. */
  now(): number
  /** A short text that is different for different ones. */
  digest(text: string): string
  /** Asks the service. Rejects where it has not answered in time. */
  ask(request: Request, headers: Record<string, string>): Promise<Answer>
  /** Hears of each failure. */
  failed(why: string): void
}

function one(value: string | string[]): string {
  return typeof value === 'string' ? value : value.join(', ')
}

/** Who calls, if the gateway knows: what it has known the caller by may have been taken off the request. */
const IDENTITY = 'x-identity-id'

function asciiOf(text: string): string {
  return text.toWellFormed().replace(/[^!-~]/gu, encodeURIComponent)
}

/** The headers of the question. Who asks it describes the request as Traefik's ForwardAuth and Envoy do. */
export function questionHeaders(request: Request, shown: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {
    'x-forwarded-method': request.method,
    'x-forwarded-proto': request.protocol,
    'x-forwarded-host': one(request.headers['host'] ?? request.headers[':authority'] ?? ''),
    'x-forwarded-uri': request.url,
    'x-forwarded-for': request.ip,
    'x-request-id': request.id,
  }
  for (const name of shown) {
    const value = request.headers[name]
    if (value !== undefined) headers[name] = one(value)
  }
  const { identity } = request
  if (identity !== null) headers[IDENTITY] = asciiOf(identity.id)
  return headers
}

function keyOf(
  headers: Readonly<Record<string, string>>,
  shown: readonly string[],
  callerOnly: boolean,
): string {
  const { 'x-request-id': _, ...told } = headers
  return JSON.stringify(callerOnly ? [IDENTITY, ...shown].map((name) => told[name] ?? null) : told)
}

function picked(headers: Headers, names: readonly string[]): Headers {
  const found: Headers = {}
  for (const name of names) if (headers[name] !== undefined) found[name] = headers[name]
  return found
}

export class ExternalAuthorizer {
  readonly tally: ExternalTally = { allowed: 0, denied: 0, failed: 0, cached: 0 }
  readonly #config: ExternalConfig
  readonly #context: ExternalContext
  readonly #withoutOwn: ReturnType<typeof withoutOwnHeaders>
  readonly #kept: ExpiringMap<Answer> | undefined
  readonly #asked = new Map<string, Promise<Answer>>()
  #underWay = 0

  constructor(config: ExternalConfig, context: ExternalContext) {
    this.#config = config
    this.#context = context
    this.#withoutOwn = withoutOwnHeaders(config.toUpstream)
    const { cache } = config
    this.#kept = cache === undefined ? undefined : new ExpiringMap(cache.max)
  }

  authorize(request: Request): Verdict | Promise<Verdict> {
    const headers = questionHeaders(request, this.#config.headers)
    // After the service was told what it is to see: whatever comes of it, nobody else says these to the upstream.
    this.#withoutOwn(request.raw)
    if (this.#kept === undefined) return this.#decided(request, this.#ask(request, headers))
    const { callerOnly, ttl } = this.#config.cache as NonNullable<ExternalConfig['cache']>
    const key = this.#context.digest(keyOf(headers, this.#config.headers, callerOnly))
    const kept = this.#kept.get(key, this.#context.now())
    if (kept !== undefined) {
      this.tally.cached++
      return this.#verdict(request, kept)
    }
    return this.#decided(request, this.#askOnce(request, headers, key, ttl))
  }

  #decided(request: Request, answer: Promise<Answer>): Promise<Verdict> {
    return answer.then(
      (given) => this.#verdict(request, given),
      (error: Error) => {
        this.tally.failed++
        this.#context.failed(error.message)
        return this.#config.onFailure === 'allow' ? true : undecided(error.message)
      },
    )
  }

  /** Requests that would ask the same at the same time share one answer. */
  #askOnce(request: Request, headers: Record<string, string>, key: string, ttl: number): Promise<Answer> {
    const underWay = this.#asked.get(key)
    if (underWay !== undefined) return underWay
    const asked = this.#ask(request, headers).then((answer) => {
      if (!/\bno-(?:store|cache)\b/i.test(String(answer.headers['cache-control'] ?? '')))
        this.#kept?.set(key, answer, this.#context.now() + ttl)
      return answer
    })
    this.#asked.set(key, asked)
    const forget = (): void => void this.#asked.delete(key)
    asked.then(forget, forget)
    return asked
  }

  async #ask(request: Request, headers: Record<string, string>): Promise<Answer> {
    const { breaker } = this.#context
    if (this.#underWay >= this.#config.concurrency) throw new Error('too many questions are under way')
    if (!breaker.admit()) throw new Error('it has failed too often and is left alone for a while')
    this.#underWay++
    try {
      const answer = await this.#context.ask(request, headers)
      const { status } = answer
      if (!(status >= 200 && status < 300) && status !== 401 && status !== 403)
        throw new Error(`it answered with status ${status}`)
      breaker.succeeded()
      return answer
    } catch (error) {
      breaker.failed()
      throw error
    } finally {
      this.#underWay--
    }
  }

  #verdict(request: Request, { status, headers }: Answer): Verdict {
    if (status < 300) {
      this.tally.allowed++
      Object.assign(request.raw.headers, picked(headers, this.#config.toUpstream))
      return true
    }
    this.tally.denied++
    const told = picked(headers, ['www-authenticate', ...this.#config.toClient])
    const [code, message] =
      status === 401
        ? (['GTW_UNAUTHENTICATED', 'This needs a credential'] as const)
        : (['GTW_FORBIDDEN', 'This is not allowed'] as const)
    // A list of cookies goes through as one: reply.headers takes both.
    return new GatewayError(code, status, 'client', message, {
      headers: { ...told, 'cache-control': 'no-store' } as Record<string, string>,
    })
  }
}
