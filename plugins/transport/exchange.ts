import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type {
  Attempt as AttemptFacts,
  AttemptRecord,
  Exchange,
  ExchangePlan,
  Lease,
  LeaseRequest,
  Outcome,
  Target,
} from '../upstreams/contract.ts'
import type { AnswerStream } from './answer.ts'
import { Attempt } from './attempt.ts'
import type { AttemptOptions, AttemptOwner } from './attempt-owner.ts'
import { ForwardedBody } from './body.ts'
import { BodyTooLargeError, bodyTooLarge, failureError, refusalError } from './errors.ts'
import { type ClientFacts, requestHeaders, responseHeaders } from './headers.ts'
import { forgetAnswer, sendAnswer } from './reply.ts'
import { type Callback, EXCHANGE, PLACEHOLDER } from './requester.ts'
import type { Route } from './route.ts'

type Headers = Record<string, string | string[] | undefined>

const NONE_TRIED: ReadonlySet<Target> = new Set()
/** RFC 9110, 9.2.2; QUERY by RFC 10008. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'QUERY'])

/** One client request, from its first lease to its last byte. */
export class HttpExchange implements Exchange, AttemptOwner {
  readonly plan: ExchangePlan
  readonly attempts: AttemptRecord[] = []
  upstreamMs = 0
  readonly #route: Route
  readonly #request: FastifyRequest
  readonly #reply: FastifyReply
  readonly #method: string
  readonly #client: ClientFacts
  readonly #startedAt = performance.now()
  readonly #source: Buffer | FastifyRequest['raw'] | null
  #placing: LeaseRequest
  #lease: Lease | undefined
  #headers: Headers = {}
  #callback: Callback | undefined
  #attempt: Attempt | undefined
  #pause: NodeJS.Timeout | undefined
  #limit: NodeJS.Timeout | undefined
  #streamed: ForwardedBody | undefined
  #closed = false

  constructor(
    route: Route,
    plan: ExchangePlan,
    request: FastifyRequest,
    reply: FastifyReply,
    client: ClientFacts,
    body: Buffer | FastifyRequest['raw'] | null,
  ) {
    this.#route = route
    this.plan = plan
    this.#request = request
    this.#reply = reply
    this.#method = request.method
    this.#client = client
    this.#source = body
    this.#placing = {
      key: plan.key,
      repeatable: plan.repeatable ?? IDEMPOTENT.has(request.method),
      tried: NONE_TRIED,
    }
    reply.raw.on('close', this.#onClose)
  }

  begin(): string {
    const lease = this.#route.upstream.lease(this.#placing)
    if (typeof lease === 'string') throw refusalError(lease)
    this.#lease = lease
    return PLACEHOLDER
  }

  outgoing(headers: Headers): Headers {
    this.#headers = headers
    return { [EXCHANGE]: this } as Headers
  }

  incoming(headers: Headers): Headers {
    return responseHeaders(headers)
  }

  /** What the requester runs: reply-from hears of the answer that is committed, and of no other. */
  run(callback: Callback): void {
    this.#callback = callback
    const { timeoutMs } = this.plan
    if (timeoutMs) this.#limit = setTimeout(() => this.#timeUp(), timeoutMs)
    if (this.plan.mirror !== undefined && !(this.#source instanceof Readable)) {
      this.#route.mirror(this.plan.mirror, this.#options(this.#source, this.#client.host))
    }
    this.#send(this.#lease as Lease)
  }

  answer(body: unknown): void {
    sendAnswer(this.#reply, body as Parameters<typeof sendAnswer>[1])
  }

  headed(attempt: Attempt): 'keep' | 'discard' {
    this.upstreamMs += attempt.latencyMs
    const failover = this.#route.failover()
    if (failover === undefined) return 'keep'
    const outcome: Outcome = { kind: 'answered', status: attempt.status, latencyMs: attempt.latencyMs }
    const verdict = failover.decide(this.#facts(attempt, attempt.startedAt + attempt.latencyMs), outcome)
    if (!verdict.retry) return 'keep'
    attempt.record.decision = 'retry'
    this.#retry(attempt, verdict.delayMs)
    return 'discard'
  }

  whole(attempt: Attempt, body: Buffer | string | null): void {
    this.#commit(attempt, body)
  }

  streams(attempt: Attempt, body: AnswerStream): void {
    this.#commit(attempt, body)
  }

  failed(attempt: Attempt, error: unknown, outcome: Outcome): void {
    if (attempt.status === 0) this.upstreamMs += attempt.latencyMs
    if (this.#closed) return
    if (error instanceof BodyTooLargeError) {
      attempt.record.decision = 'give-up'
      this.#refuse(bodyTooLarge())
      return
    }
    const verdict = this.#route.failover()?.decide(this.#facts(attempt), outcome)
    if (verdict?.retry) {
      attempt.record.decision = 'retry'
      this.#retry(attempt, verdict.delayMs)
      return
    }
    attempt.record.decision = 'give-up'
    this.#refuse(failureError(outcome.kind === 'failed' ? outcome.reason : 'reset', error))
  }

  broke(): void {
    forgetAnswer(this.#reply)
  }

  #options(body: AttemptOptions['body'], targetHost: string): AttemptOptions {
    const { config } = this.#route
    // A client of HTTP/1.0 need not say a host.
    const host = (config.host === 'preserve' && this.#client.host) || targetHost
    return {
      method: this.#method,
      path: this.plan.path,
      headers: requestHeaders(this.#headers, this.#client, host, config.forwarded, this.plan.editRequest),
      body,
      timeouts: config.timeouts,
      deadlines: this.#route.deadlines,
      gather: config.gatherResponse,
    }
  }

  #send(lease: Lease): void {
    const pool = this.#route.pool(lease.target)
    const attempt = new Attempt(this, lease, this.#options(this.#body(), pool.host))
    this.#attempt = attempt
    this.attempts.push(attempt.record)
    attempt.send(pool)
  }

  #body(): AttemptOptions['body'] {
    if (this.#source === null || Buffer.isBuffer(this.#source)) return this.#source
    this.#streamed = new ForwardedBody(this.#source, this.#route.bodyLimit)
    return this.#streamed
  }

  #facts(attempt: Attempt, now = performance.now()): AttemptFacts {
    return {
      upstream: this.plan.upstream,
      target: attempt.lease.target,
      number: this.attempts.length,
      method: this.#method,
      repeatable: this.#placing.repeatable,
      replayable: this.#streamed === undefined || this.#streamed.untouched,
      elapsedMs: now - this.#startedAt,
    }
  }

  #retry(attempt: Attempt, delayMs: number): void {
    this.#placing = { ...this.#placing, tried: new Set(this.#placing.tried).add(attempt.lease.target) }
    const again = (): void => {
      if (this.#closed) return
      try {
        const lease = this.#route.upstream.lease(this.#placing)
        if (typeof lease === 'string') {
          this.#refuse(refusalError(lease))
          return
        }
        this.#lease = lease
        this.#send(lease)
      } catch (error) {
        // A policy threw: that is one request's misfortune, not the process's.
        this.#refuse(error as Error)
      }
    }
    if (delayMs === 0) setImmediate(again)
    else this.#pause = setTimeout(again, delayMs)
  }

  #commit(attempt: Attempt, body: Buffer | string | AnswerStream | null): void {
    attempt.record.decision = 'commit'
    clearTimeout(this.#limit)
    if (this.#closed) return
    this.#callback?.(null, { statusCode: attempt.status, headers: attempt.headers, body })
  }

  /** reply-from would log the error, inside and all, and make it a 500. */
  #refuse(error: Error): void {
    clearTimeout(this.#limit)
    if (this.#closed || this.#reply.sent) return
    if (!this.#request.raw.complete) this.#reply.header('connection', 'close')
    this.#reply.send(error)
  }

  #timeUp(): void {
    clearTimeout(this.#pause)
    const attempt = this.#attempt
    if (attempt !== undefined) {
      const latencyMs = performance.now() - this.#startedAt
      this.#abandon({ kind: 'failed', reason: 'timeout', requestSent: attempt.requestSent, latencyMs })
    }
    this.#refuse(failureError('timeout', new Error('the route allows no more time')))
  }

  readonly #onClose = (): void => {
    this.#closed = true
    clearTimeout(this.#pause)
    clearTimeout(this.#limit)
    this.#abandon()
    // Taken but never sent: the handler threw between the two.
    this.#lease?.release()
  }

  #abandon(outcome?: Outcome): void {
    const attempt = this.#attempt
    if (attempt === undefined || attempt.over) return
    attempt.record.decision = 'abandon'
    attempt.abandon(outcome)
  }
}
