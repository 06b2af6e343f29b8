import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Lease, Outcome } from '../upstreams/contract.ts'
import type { AttemptRecord, Exchange, ExchangePlan } from '../upstreams/exchange.ts'
import type { AnswerStream } from './answer.ts'
import { Attempt } from './attempt.ts'
import type { AttemptOptions, AttemptOwner } from './attempt-owner.ts'
import { ForwardedBody } from './body.ts'
import { BodyTooLargeError, bodyTooLarge, clientTooSlow, failureError, SlowClientError } from './errors.ts'
import { type ClientFacts, requestHeaders, responseHeaders } from './headers.ts'
import { lastAnswer } from './linger.ts'
import { AttemptLoop } from './loop.ts'
import { forgetAnswer, sendAnswer } from './reply.ts'
import { type Callback, EXCHANGE, PLACEHOLDER } from './requester.ts'
import type { Route } from './route.ts'

type Headers = Record<string, string | string[] | undefined>

/** RFC 9110, 9.2.2; QUERY by RFC 10008. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'QUERY'])

/** One client request, from its first lease to its last byte. */
export class HttpExchange extends AttemptLoop implements Exchange, AttemptOwner {
  broken = false
  readonly #request: FastifyRequest
  readonly #reply: FastifyReply
  readonly #client: ClientFacts
  readonly #source: Buffer | FastifyRequest['raw'] | null
  #lease: Lease | undefined
  #headers: Headers = {}
  /** Of the answer that is committed. */
  #status = 0
  #callback: Callback | undefined
  #limit: NodeJS.Timeout | undefined
  #streamed: ForwardedBody | undefined

  constructor(
    route: Route,
    plan: ExchangePlan,
    request: FastifyRequest,
    reply: FastifyReply,
    client: ClientFacts,
    body: Buffer | FastifyRequest['raw'] | null,
  ) {
    super(route, plan, request.method, plan.repeatable ?? IDEMPOTENT.has(request.method))
    this.#request = request
    this.#reply = reply
    this.#client = client
    this.#source = body
    reply.raw.on('close', this.#onClose)
  }

  begin(): string {
    this.#lease = this.lease()
    return PLACEHOLDER
  }

  outgoing(headers: Headers): Headers {
    this.#headers = headers
    return { [EXCHANGE]: this } as Headers
  }

  incoming(headers: Headers): Headers {
    return responseHeaders(headers, this.#status)
  }

  /** What the requester runs: reply-from hears of the answer that is committed, and of no other. */
  run(callback: Callback): void {
    this.#callback = callback
    const timeoutMs = this.plan.timeoutMs ?? this.route.config.timeouts.total
    if (timeoutMs > 0) this.#limit = setTimeout(() => this.#timeUp(), timeoutMs)
    if (this.plan.mirror !== undefined && !(this.#source instanceof Readable)) {
      const options = this.#options(this.#source, this.#client.host)
      this.route.onAttempt()?.(this.#request, undefined, options.headers)
      this.route.mirror(this.plan.mirror, options)
    }
    this.launch(this.#lease as Lease, 'first')
  }

  answer(body: unknown): void {
    sendAnswer(this.#reply, body as Parameters<typeof sendAnswer>[1])
  }

  whole(attempt: Attempt, body: Buffer | string | null): void {
    this.#commit(attempt, body)
  }

  streams(attempt: Attempt, body: AnswerStream): void {
    this.#commit(attempt, body)
  }

  waited(milliseconds: number): void {
    this.waiting.total += milliseconds
  }

  failed(attempt: Attempt, error: unknown, outcome: Outcome): void {
    const slow = error instanceof SlowClientError
    if (!slow && !(error instanceof BodyTooLargeError)) {
      this.lost(attempt, error, outcome)
      return
    }
    attempt.record.decision = 'give-up'
    this.end()
    this.refuse(slow ? clientTooSlow(error) : bodyTooLarge())
  }

  gaveWay(error: Error): void {
    this.#request.failure = error
  }

  broke(): void {
    this.broken = true
    forgetAnswer(this.#reply)
  }

  protected attempt(lease: Lease, kind: AttemptRecord['kind']): Attempt {
    const pool = this.route.pool(lease.target)
    const options = this.#options(this.#body(), pool.host)
    const attempt = new Attempt(this, lease, kind, pool, options)
    this.route.onAttempt()?.(this.#request, attempt.record, options.headers)
    return attempt
  }

  protected replayable(): boolean {
    return this.#streamed === undefined || this.#streamed.untouched
  }

  protected hedgeable(): boolean {
    return !(this.#source instanceof Readable)
  }

  /** reply-from would log the error, inside and all, and make it a 500. */
  protected refuse(error: Error): void {
    clearTimeout(this.#limit)
    if (this.closed || this.#reply.sent) return
    lastAnswer(this.#request.raw, this.#reply)
    this.#reply.send(error)
  }

  #options(body: AttemptOptions['body'], targetHost: string): AttemptOptions {
    const { config, bodyMemory, deadlines } = this.route
    // A client of HTTP/1.0 need not say a host.
    const host = (config.host === 'preserve' && this.#client.host) || targetHost
    return {
      method: this.#request.method,
      path: this.plan.path,
      headers: requestHeaders(
        this.#headers,
        this.#client,
        host,
        config.forwarded,
        this.plan.editRequest,
        config.http2,
      ),
      body,
      timeouts: config.timeouts,
      connections: config.limits.connections,
      queueTimeout: config.limits.queueTimeout,
      deadlines,
      gather: config.gatherResponse,
      gatherWithin: config.gatherWithin,
      memory: bodyMemory,
    }
  }

  #body(): AttemptOptions['body'] {
    if (this.#source === null || Buffer.isBuffer(this.#source)) return this.#source
    this.#streamed = new ForwardedBody(this.#source, this.route.bodyLimit)
    return this.#streamed
  }

  #commit(attempt: Attempt, body: Buffer | string | AnswerStream | null): void {
    this.won(attempt)
    clearTimeout(this.#limit)
    if (this.closed) return
    this.#status = attempt.status
    this.#callback?.(null, { statusCode: attempt.status, headers: attempt.headers, body })
  }

  #timeUp(): void {
    const now = performance.now()
    this.end(({ requestSent, startedAt }) => ({
      kind: 'failed',
      reason: 'timeout',
      requestSent,
      latencyMs: now - startedAt,
    }))
    this.refuse(failureError('timeout', new Error('there is no more time for this request')))
  }

  readonly #onClose = (): void => {
    this.closed = true
    clearTimeout(this.#limit)
    this.end()
    // Taken but never sent: the handler threw between the two.
    this.#lease?.release()
    if (Buffer.isBuffer(this.#source)) this.route.bodyMemory.giveBack(this.#source.length)
  }
}
