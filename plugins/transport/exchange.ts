import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Lease, Outcome } from '../upstreams/contract.ts'
import type { AttemptRecord, Exchange, ExchangePlan } from '../upstreams/exchange.ts'
import type { AnswerStream } from './answer.ts'
import { Attempt } from './attempt.ts'
import type { AttemptOptions, AttemptOwner } from './attempt-owner.ts'
import { ForwardedBody } from './body.ts'
import { blameless, ClientLeftError, failureError } from './errors.ts'
import type { ClientFacts } from './forwarded.ts'
import { requestHeaders, responseHeaders } from './headers.ts'
import { lastAnswer } from './linger.ts'
import { AttemptLoop } from './loop.ts'
import { forgetAnswer, sendAnswer } from './reply.ts'
import { type Callback, EXCHANGE, PLACEHOLDER } from './requester.ts'
import type { Route } from './route.ts'
import type { Running } from './running.ts'
import { Spare, type SpareOwner } from './spare.ts'

/** Statuses without a body (RFC 9110, 15.3.5, 15.3.6, 15.4.5): what targets send all the same goes no further. */
const BODILESS = new Set([204, 205, 304])

type Headers = Record<string, string | string[] | undefined>

/** RFC 9110, 9.2.2; QUERY by RFC 10008. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'QUERY'])

/** One client request, from its first lease to its last byte. */
export class HttpExchange extends AttemptLoop implements Exchange, AttemptOwner, SpareOwner {
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
  #spare: Spare | undefined

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
    if (this.#spare?.whole(attempt, body) !== true) this.commit(attempt, body)
  }

  streams(attempt: Attempt, body: AnswerStream): void {
    if (this.#spare?.fails(attempt) !== true) this.commit(attempt, body)
  }

  waited(milliseconds: number): void {
    this.waiting.total += milliseconds
  }

  failed(attempt: Attempt, error: unknown, outcome: Outcome): void {
    if (this.#spare?.fails(attempt) === true) return
    const refusal = blameless(error)
    if (refusal === undefined) {
      this.route.failed(error)
      this.lost(attempt, error, outcome)
      return
    }
    attempt.record.decision = 'give-up'
    this.end()
    // Who has left is told nothing; the end of his connection is about to be heard.
    if (!(refusal instanceof ClientLeftError)) this.refuse(refusal)
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

  protected override spares(attempt: Running): boolean {
    this.#spare?.drop()
    this.#spare = new Spare(this, attempt as Attempt, this.route)
    return true
  }

  protected override fallsBack(): boolean {
    return this.#spare?.falls() === true
  }

  #options(body: AttemptOptions['body'], targetHost: string): AttemptOptions {
    const { config, bodyMemory, deadlines } = this.route
    // A client of HTTP/1.0 need not say a host.
    const host = (config.host === 'preserve' && this.#client.host) || targetHost
    return {
      method: this.#request.method,
      path: this.plan.path,
      headers: requestHeaders(this.#headers, this.#client, {
        host,
        forwarded: config.forwarded,
        prefix: this.plan.prefix,
        edit: this.plan.editRequest,
        http2: config.http2,
      }),
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

  commit(attempt: Attempt, body: Buffer | string | AnswerStream | null): void {
    this.won(attempt)
    this.#spare?.drop()
    clearTimeout(this.#limit)
    if (this.closed) return
    this.#status = attempt.status
    if (BODILESS.has(attempt.status)) {
      if (body instanceof Readable) body.destroy()
      body = null
    }
    try {
      this.#callback?.(null, { statusCode: attempt.status, headers: attempt.headers, body })
    } catch (error) {
      this.#unsent(error as Error, body)
    }
  }

  /** A plugin has given the reply a header that HTTP does not know, say: not the target's fault, nor the process's. */
  #unsent(error: Error, body: unknown): void {
    forgetAnswer(this.#reply)
    if (body instanceof Readable) body.destroy(error)
    // Fastify tells the client of a stream that broke, if it has got so far.
    setImmediate(() => {
      if (!this.#reply.raw.headersSent) this.refuse(error)
    })
  }

  #timeUp(): void {
    const now = performance.now()
    this.end(({ requestSent, startedAt }) => ({
      kind: 'failed',
      reason: 'timeout',
      requestSent,
      latencyMs: now - startedAt,
    }))
    if (this.#spare?.kept === true) this.#spare.falls()
    else this.refuse(failureError('timeout', new Error('there is no more time for this request')))
  }

  readonly #onClose = (): void => {
    this.closed = true
    clearTimeout(this.#limit)
    this.end()
    this.#spare?.drop()
    // Taken but never sent: the handler threw between the two.
    this.#lease?.release()
    if (Buffer.isBuffer(this.#source)) this.route.bodyMemory.giveBack(this.#source.length)
  }
}
