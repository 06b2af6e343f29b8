import type { Dispatcher } from 'undici'
import type { Lease, Outcome } from '../upstreams/contract.ts'
import type { AttemptRecord } from '../upstreams/exchange.ts'
import { comesInPieces } from './answer.ts'
import type { AttemptOptions, AttemptOwner, DispatchOptions } from './attempt-owner.ts'
import { ForwardedBody } from './body.ts'
import type { Watched } from './deadlines.ts'
import { BodyTooLargeError, DeadlineError, failureError, SlowClientError } from './errors.ts'
import { Gathered } from './gathered.ts'
import type { Running } from './loop.ts'
import { ABANDONED, answered, attemptRecord, failed } from './outcomes.ts'
import { Passage, type PassageOwner } from './passage.ts'
import type { TargetPool } from './pools.ts'
import { type Headers, responseTrailers } from './trailers.ts'
import { Upload } from './upload.ts'

function streamUnlessWhole(attempt: Attempt): void {
  attempt.streamUnlessWhole()
}

/** One try at one target: a handler of undici's that settles its lease whatever happens. */
export class Attempt implements Dispatcher.DispatchHandler, PassageOwner, Watched, Running {
  readonly lease: Lease
  readonly record: AttemptRecord
  status = 0
  headers: Headers = {}
  /** A byte of the request may have reached the target. */
  requestSent = false
  /** Milliseconds from the lease to the response headers or the failure. */
  latencyMs = 0
  /** Watched: of what comes next. */
  deadline = Number.POSITIVE_INFINITY
  place = -1
  readonly #owner: AttemptOwner
  readonly #pool: TargetPool
  readonly #options: AttemptOptions
  readonly startedAt = performance.now()
  #state: 'waiting' | 'gathering' | 'streaming' | 'discarding' | 'over' = 'waiting'
  #controller: Dispatcher.DispatchController | undefined
  readonly #gathered: Gathered
  #passage: Passage | undefined
  #upload: Upload | undefined
  #phase = 'a connection'
  /** An answer of unknown length is streamed from then on. */
  #gatherUntil = Number.POSITIVE_INFINITY
  #movedAt = 0

  constructor(
    owner: AttemptOwner,
    lease: Lease,
    kind: AttemptRecord['kind'],
    pool: TargetPool,
    options: AttemptOptions,
  ) {
    this.#owner = owner
    this.lease = lease
    this.#pool = pool
    this.#options = options
    this.#gathered = new Gathered(options.memory, options.gather)
    this.record = attemptRecord(lease.target, kind, this.startedAt)
  }

  send(): void {
    const { pool, origin, servername } = this.#pool
    const { method, path, headers, body, timeouts, deadlines, connections, queueTimeout } = this.#options
    // With all connections taken it waits for one to come free.
    const waits = this.lease.target.inflight > connections
    if (waits) this.#pool.crowd.requestWaits()
    if (waits && queueTimeout > 0) this.#allow(queueTimeout, 'its turn', this.startedAt)
    else this.#allow(timeouts.connect, 'a connection', this.startedAt)
    deadlines.watch(this)
    if (body instanceof ForwardedBody) this.#upload = new Upload(body, this.#pool.crowd, this)
    const options: DispatchOptions = { origin, path, method, headers, body, servername }
    // Left alone, undici closes the connection after a HEAD.
    if (method === 'HEAD') options.reset = false
    pool.dispatch(options, this)
  }

  /** Ends it, by default without a verdict on the target: the client left, or the answer is not wanted any more. */
  abandon(outcome: Outcome = ABANDONED): void {
    if (this.#state === 'over') return
    this.#finish(outcome)
    this.#controller?.abort(new Error('abandoned'))
    this.#passage?.stream.destroy()
  }

  /** Ends it because the client is too slow while others wait. */
  giveWay(): void {
    if (this.#state === 'over') return
    const error = new SlowClientError()
    this.#finish(ABANDONED)
    this.#controller?.abort(error)
    if (this.#passage === undefined) this.#owner.failed(this, error, ABANDONED)
    else this.#owner.gaveWay(error)
    this.#passage?.stream.destroy(error)
  }

  get over(): boolean {
    return this.#state === 'over'
  }

  onRequestQueued(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#state === 'over') {
      controller.abort(new Error('abandoned'))
      return
    }
    this.requestSent = true
    this.record.sentAt = performance.now()
    this.#allow(this.#options.timeouts.response, 'the response', this.record.sentAt)
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    // 103 and its like say something of an answer that is yet to come.
    if (status < 200 || this.#state === 'over') return
    this.status = status
    this.headers = headers
    const now = performance.now()
    this.latencyMs = now - this.startedAt
    this.lease.heard()
    this.moved(now)
    const outcome = answered(this.status, this.latencyMs, this.headers)
    if (this.#owner.headed(this, outcome) === 'discard') {
      this.#state = 'discarding'
      this.#settle(outcome)
      // A long body is not worth reading to its end only to keep the connection.
      if (!(Number(headers['content-length']) <= this.#options.gather)) this.abandon()
      return
    }
    this.#state = 'gathering'
    const { gather, gatherWithin, method } = this.#options
    if (comesInPieces(headers['content-type'])) {
      this.#settle(outcome)
      this.#openStream()
    } else if (headers['content-length'] === undefined) {
      this.#gatherUntil = now + gatherWithin
      this.deadline = Math.min(this.deadline, this.#gatherUntil)
      // All of a small answer comes within one read of the socket.
      if (gatherWithin === 0) process.nextTick(streamUnlessWhole, this)
    } else if (Number(headers['content-length']) > gather && method !== 'HEAD') {
      this.#openStream()
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#state === 'streaming') {
      this.#passage?.push(chunk)
      this.moved()
    } else if (this.#state === 'gathering') {
      if (!this.#gathered.empty) this.moved()
      if (!this.#gathered.push(chunk)) this.#openStream()
    }
  }

  onResponseEnd(_controller?: unknown, trailers?: Headers): void {
    const passed = responseTrailers(trailers, this.#options.method, this.status)
    if (passed !== undefined && this.#state === 'gathering') this.#openStream()
    const state = this.#state
    if (state === 'over') return
    const body = state === 'gathering' ? this.#gathered.whole() : null
    this.#finish(answered(this.status, this.latencyMs, this.headers))
    if (state === 'streaming') this.#passage?.stream.finish(passed)
    else if (state === 'gathering') this.#owner.whole(this, body)
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#state === 'over') return
    const state = this.#state
    if (state === 'waiting') this.latencyMs = performance.now() - this.startedAt
    // A client that sends too much says nothing of the target.
    const outcome =
      error instanceof BodyTooLargeError ? ABANDONED : failed(error, this.requestSent, this.latencyMs)
    this.#finish(outcome)
    if (state === 'streaming') {
      this.#owner.broke()
      this.#passage?.stream.destroy(failureError(outcome.kind === 'failed' ? outcome.reason : 'reset', error))
    } else if (state !== 'discarding') this.#owner.failed(this, error, outcome)
  }

  streamUnlessWhole(): void {
    if (this.#state === 'gathering') this.#openStream()
  }

  #openStream(): void {
    this.#state = 'streaming'
    this.#passage = new Passage(this, this.#controller, this.#pool.crowd, this.headers.trailer)
    for (const chunk of this.#gathered.release()) this.#passage.push(chunk)
    // From now on only the target's silence counts, since it last sent something.
    this.#gatherUntil = Number.POSITIVE_INFINITY
    this.moved(this.#movedAt)
    this.#owner.streams(this, this.#passage.stream)
  }

  #settle(outcome: Outcome): void {
    this.record.outcome ??= outcome
    this.lease.settle(outcome)
  }

  #finish(outcome: Outcome): void {
    this.#state = 'over'
    this.record.endedAt = performance.now()
    this.#options.deadlines.unwatch(this)
    this.#gathered.release()
    this.#passage?.end()
    this.#upload?.end()
    this.#settle(outcome)
    this.lease.release()
  }

  /** Gives the attempt `milliseconds` for what comes next; 0 is as long as it takes. */
  #allow(milliseconds: number, phase: string, now: number): void {
    this.#phase = phase
    this.deadline = milliseconds === 0 ? Number.POSITIVE_INFINITY : now + milliseconds
  }

  /** The target has sent something. */
  moved(at = performance.now()): void {
    this.#movedAt = at
    this.#allow(this.#options.timeouts.idle, 'more of the response', at)
    this.deadline = Math.min(this.deadline, this.#gatherUntil)
  }

  /** While a body is under way, the time for the response counts from the last piece that the target took. */
  #waitForBody(now: number): void {
    const { body, timeouts } = this.#options
    if (this.#state !== 'waiting' || !this.requestSent || !(body instanceof ForwardedBody)) return
    // It is not the target that is slow.
    const from = body.starved ? now : body.movedAt
    this.deadline = Math.max(this.deadline, from + timeouts.response)
  }

  /** Watched: the deadline has passed. */
  expired(now: number): void {
    this.#waitForBody(now)
    // A client that takes nothing is slow itself, and its own time-outs watch over it.
    if (this.#passage?.paused === true) this.moved()
    if (this.deadline > now) return
    if (this.#gatherUntil <= now) {
      this.streamUnlessWhole()
      return
    }
    const error = new DeadlineError(this.#phase)
    this.onResponseError(undefined as never, error)
    this.#controller?.abort(error)
  }
}
