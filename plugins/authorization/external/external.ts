/** Lets a service decide, and makes of its answer what is done. */
import { messageOf } from '../../config/messages.ts'
import { withoutOwnHeaders } from '../../config/own-headers.ts'
import { GatewayError, NO_STORE } from '../../upstreams/errors.ts'
import { ExpiringMap } from '../../upstreams/expiring-map.ts'
import type { ServiceBreaker } from '../../upstreams/service-breaker.ts'
import type { Authorizer, Verdict } from '../authorizer.ts'
import { forbidden, tooLarge, undecided } from '../errors.ts'
import type { ExternalConfig } from '../schema.ts'
import { NoAnswerError } from './no-answer.ts'
import { keyOf, questionHeaders, sizeOf } from './question.ts'

type Request = Parameters<Authorizer>[0]
type Reply = Parameters<Authorizer>[1]
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
  /** Asks the service. Rejects with a `NoAnswerError` where there is none. */
  ask(request: Request, headers: Record<string, string>): Promise<Answer>
  /** Hears of each failure, and of each answer that services like this one do not give. */
  failed(why: string): void
}

/** Answers to the question. Others are refusals too, but of the question: they are not kept, and say nothing of the caller. */
function isVerdict(status: number): boolean {
  return status < 300 || status === 401 || status === 403
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

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

  authorize(request: Request, reply: Reply): Verdict | Promise<Verdict> {
    const headers = questionHeaders(request, this.#config.headers)
    // After the service was told what it is to see: whatever comes of it, nobody else says these to the upstream.
    this.#withoutOwn(request.raw)
    if (sizeOf(headers) > this.#config.questionLimit) {
      this.tally.denied++
      return tooLarge()
    }
    if (this.#kept === undefined) return this.#decided(request, reply, this.#ask(request, headers))
    const { callerOnly, ttl } = this.#config.cache as NonNullable<ExternalConfig['cache']>
    const key = this.#context.digest(keyOf(headers, this.#config.headers, callerOnly))
    const kept = this.#kept.get(key, this.#context.now())
    if (kept !== undefined) {
      this.tally.cached++
      return this.#verdict(request, reply, kept)
    }
    return this.#decided(request, reply, this.#askOnce(request, headers, key, ttl))
  }

  #decided(request: Request, reply: Reply, answer: Promise<Answer>): Promise<Verdict> {
    return answer.then(
      (given) => this.#verdict(request, reply, given),
      (error: Error) => {
        this.tally.failed++
        if (error instanceof GatewayError) {
          this.#context.failed((error.cause as Error).message)
          return error
        }
        this.#context.failed(messageOf(error))
        if (!(error instanceof NoAnswerError)) throw error
        return this.#config.onFailure === 'allow' ? true : undecided(error.message)
      },
    )
  }

  /** Requests that would ask the same at the same time share one answer. */
  #askOnce(request: Request, headers: Record<string, string>, key: string, ttl: number): Promise<Answer> {
    const underWay = this.#asked.get(key)
    if (underWay !== undefined) return underWay
    const asked = this.#ask(request, headers).then((answer) => {
      if (
        isVerdict(answer.status) &&
        !/\bno-(?:store|cache)\b/i.test(String(answer.headers['cache-control'] ?? ''))
      )
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
    // No failure of the service: whoever floods it would else let everybody in.
    if (this.#underWay >= this.#config.concurrency) throw undecided('too many questions are under way')
    if (!breaker.admit()) throw new NoAnswerError('it has failed too often and is left alone for a while')
    this.#underWay++
    try {
      const answer = await this.#context.ask(request, headers)
      if (answer.status >= 500) throw new NoAnswerError(`it answered with status ${answer.status}`)
      breaker.succeeded()
      return answer
    } catch (error) {
      if (error instanceof NoAnswerError) breaker.failed()
      else breaker.undecided()
      throw error
    } finally {
      this.#underWay--
    }
  }

  #verdict(request: Request, reply: Reply, { status, headers }: Answer): Verdict {
    if (status < 300) {
      this.tally.allowed++
      Object.assign(request.raw.headers, picked(headers, this.#config.toUpstream))
      return true
    }
    this.tally.denied++
    const cause = { message: `the service that authorizes answered with status ${status}` }
    const { toClient } = this.#config
    if (REDIRECTS.has(status) && toClient.includes('location')) {
      request.failure = forbidden(undefined, cause)
      reply
        .code(status)
        .headers({ ...picked(headers, toClient), ...NO_STORE })
        .send()
      return false
    }
    if (!isVerdict(status)) {
      this.#context.failed(`it answered with status ${status}`)
      return forbidden(undefined, cause)
    }
    const told = picked(headers, ['www-authenticate', ...toClient])
    const [code, message] =
      status === 401
        ? (['GTW_UNAUTHENTICATED', 'This needs a credential'] as const)
        : (['GTW_FORBIDDEN', 'This is not allowed'] as const)
    // A list of cookies goes through as one: reply.headers takes both.
    return new GatewayError(code, status, 'client', message, {
      headers: { ...told, ...NO_STORE } as Record<string, string>,
      cause,
    })
  }
}
