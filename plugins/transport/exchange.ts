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
import { Attempt, type AttemptOptions, type AttemptOwner } from './attempt.ts'
import { ForwardedBody } from './body.ts'
import { BodyTooLargeError, bodyTooLarge, failureError, refusalError } from './errors.ts'
import { type ClientFacts, MEDIA_TYPE, requestHeaders, responseHeaders } from './headers.ts'
import type { Route } from './route.ts'

type Headers = Record<string, string | string[] | undefined>
type Callback = (error: Error | null, response?: unknown) => void

/** Where reply-from's copy of the headers carries the exchange. */
export const EXCHANGE = Symbol('holdfast.exchange')
/** What reply-from takes for the upstream: the real one is chosen attempt by attempt. */
const PLACEHOLDER = 'http://upstream.invalid'

const NONE_TRIED: ReadonlySet<Target> = new Set()
/** RFC 9110, 9.2.2; QUERY by RFC 10008. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'QUERY'])

const asItIs = (payload: unknown): string => payload as string

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
    if (timeoutMs) this.#limit = setTimeout(this.#onLimit, timeoutMs)
    if (this.plan.mirror !== undefined && !(this.#source instanceof Readable)) {
      this.#route.mirror(this.plan.mirror, this.#options(this.#source, this.#client.host))
    }
    this.#send(this.#lease as Lease)
  }

  answer(body: unknown): void {
    const reply = this.#reply
    if (body === null) reply.send()
    else if (body instanceof Readable) reply.send(body)
    else if (MEDIA_TYPE.test(String(reply.getHeader('content-type')))) reply.serializer(asItIs).send(body)
    // Fastify would invent a content type where there is none or none that it can read; for a stream it does not.
    else reply.send(Readable.from([typeof body === 'string' ? Buffer.from(body, 'latin1') : body]))
  }

  headed(attempt: Attempt): 'keep' | 'discard' {
    this.upstreamMs += attempt.latencyMs
    const failover = this.#route.failover()
    if (failover === undefined) return 'keep'
    const outcome: Outcome = { kind: 'answered', status: attempt.status, latencyMs: attempt.latencyMs }
    const verdict = failover.decide(this.#facts(attempt), outcome)
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

  /** If nothing has been sent, an error will be: nothing of the answer that broke may stay with it. */
  broke(): void {
    const reply = this.#reply
    if (reply.raw.headersSent) return
    for (const name of Object.keys(reply.getHeaders())) {
      reply.removeHeader(name)
      reply.raw.removeHeader(name)
    }
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

  #facts(attempt: Attempt): AttemptFacts {
    return {
      upstream: this.plan.upstream,
      target: attempt.lease.target,
      number: this.attempts.length,
      method: this.#method,
      repeatable: this.#placing.repeatable,
      replayable: this.#streamed === undefined || this.#streamed.untouched,
      elapsedMs: performance.now() - this.#startedAt,
    }
  }

  #retry(attempt: Attempt, delayMs: number): void {
    this.#placing = { ...this.#placing, tried: new Set(this.#placing.tried).add(attempt.lease.target) }
    this.#pause = setTimeout(() => {
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
    }, delayMs)
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

  readonly #onLimit = (): void => {
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
