import type { Dispatcher } from 'undici'
import type { Lease, Outcome } from '../upstreams/contract.ts'
import { ABANDONED } from '../upstreams/evidence.ts'
import type { AttemptRecord } from '../upstreams/exchange.ts'
import { comesInPieces } from './answer.ts'
import type { AttemptOptions, AttemptOwner, DispatchOptions } from './attempt-owner.ts'
import { ForwardedBody } from './body.ts'
import type { Watched } from './deadlines.ts'
import { blameless, failureError, isFinal, SlowClientError, UnknownStatusError } from './errors.ts'
import { Gathered } from './gathered.ts'
import { Leased } from './leased.ts'
import { answered, failed, givenUp } from './outcomes.ts'
import { Passage, type PassageOwner } from './passage.ts'
import { Patience } from './patience.ts'
import type { TargetPool } from './pools.ts'
import type { Running } from './running.ts'
import { type Headers, responseTrailers } from './trailers.ts'
import { Upload } from './upload.ts'

/** The rest of an answer that nobody wants is read for so long (ms), to keep its connection. */
const DISCARD_MS = 100

function streamUnlessWhole(attempt: Attempt): void {
  attempt.streamUnlessWhole()
}

/** One try at one target: a handler of undici's that settles its lease whatever happens. */
export class Attempt extends Leased implements Dispatcher.DispatchHandler, PassageOwner, Watched, Running {
  status = 0
  headers: Headers = {}
  /** A byte of the request may have reached the target. */
  requestSent = false
  place = -1
  readonly #owner: AttemptOwner
  readonly #pool: TargetPool
  readonly #options: AttemptOptions
  #state: 'waiting' | 'gathering' | 'streaming' | 'discarding' | 'over' = 'waiting'
  #controller: Dispatcher.DispatchController | undefined
  readonly #gathered: Gathered
  #passage: Passage | undefined
  #upload: Upload | undefined
  readonly #patience: Patience

  constructor(
    owner: AttemptOwner,
    lease: Lease,
    kind: AttemptRecord['kind'],
    pool: TargetPool,
    options: AttemptOptions,
  ) {
    super(lease, kind)
    this.#owner = owner
    this.#pool = pool
    this.#options = options
    this.#gathered = new Gathered(options.memory, options.gather)
    this.#patience = new Patience(options.timeouts.idle)
  }

  send(): void {
    const { pool, origin, servername } = this.#pool
    const { method, path, headers, body, timeouts, deadlines, connections, queueTimeout } = this.#options
    // With all connections taken it waits for one to come free.
    const { inflight, tunnels } = this.lease.target
    const waits = inflight - tunnels > connections
    if (waits) this.#pool.crowd.requestWaits()
    const patience = waits && queueTimeout > 0 ? queueTimeout : timeouts.connect
    this.#patience.allow(patience, waits ? 'its turn' : 'a connection', this.startedAt)
    deadlines.watch(this)
    if (body instanceof ForwardedBody) this.#upload = new Upload(body, this.#pool.crowd, this)
    const options: DispatchOptions = { origin, path, method, headers, body, servername }
    // Left alone, undici closes the connection after a HEAD.
    if (method === 'HEAD') options.reset = false
    pool.dispatch(options, this)
  }

  /** Ends it, by default without a verdict on the target: the client left, or the answer is not wanted any more. */
  abandon(outcome = givenUp(this.#state === 'waiting', this.record, this.#upload)): void {
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

  /** Watched. */
  get deadline(): number {
    return this.#patience.deadline
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
    this.#patience.allow(this.#options.timeouts.response, 'the response', this.record.sentAt)
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    // 103 and its like say something of an answer that is yet to come.
    if ((status >= 100 && status < 200) || this.#state === 'over') return
    if (!isFinal(status)) {
      this.#fail(new UnknownStatusError(status))
      return
    }
    this.status = status
    this.headers = headers
    const now = performance.now()
    this.latencyMs = now - this.startedAt
    this.lease.heard()
    this.moved(now)
    const outcome = answered(this.status, this.latencyMs, this.headers)
    if (this.#owner.headed(this, outcome) === 'discard') {
      this.#state = 'discarding'
      this.settle(outcome)
      this.#patience.allow(DISCARD_MS, 'the end of the response', now)
      // A long body is not worth reading to its end only to keep the connection.
      if (!(Number(headers['content-length']) <= this.#options.gather)) this.abandon()
      return
    }
    this.#state = 'gathering'
    const { gather, gatherWithin, method } = this.#options
    if (comesInPieces(headers['content-type'])) {
      this.settle(outcome)
      this.#openStream()
    } else if (headers['content-length'] === undefined) {
      this.#patience.gatherUntil(now + gatherWithin)
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
    const outcome =
      blameless(error) === undefined ? failed(error, this.requestSent, this.latencyMs) : ABANDONED
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
    this.#patience.gatherUntil(Number.POSITIVE_INFINITY)
    this.#owner.streams(this, this.#passage.stream)
  }

  #finish(outcome: Outcome): void {
    this.#state = 'over'
    this.#options.deadlines.unwatch(this)
    this.#gathered.release()
    this.#passage?.end()
    this.#upload?.end()
    this.leave(outcome)
  }

  /** It ends for a reason that we have found ourselves. */
  #fail(error: Error): void {
    this.onResponseError(undefined as never, error)
    this.#controller?.abort(error)
  }

  /** The target has sent something. */
  moved(at = performance.now()): void {
    this.#patience.moved(at)
  }

  /** PassageOwner: of the time that its answer streams, this much. */
  waited(milliseconds: number): void {
    this.#owner.waited(milliseconds)
  }

  /** Watched: the deadline has passed. */
  expired(now: number): void {
    if (this.#state === 'discarding') {
      this.abandon()
      return
    }
    // While a body is under way, the time for the response counts from the last piece that the target took.
    if (this.#upload !== undefined && this.#state === 'waiting' && this.requestSent)
      this.#patience.extend(this.#upload.takenAt(now) + this.#options.timeouts.response)
    // A client that takes nothing is slow itself, and its own time-outs watch over it.
    if (this.#passage?.paused === true) this.moved()
    if (this.deadline > now) return
    if (!this.#patience.gatheredLongEnough(now)) {
      this.#fail(this.#patience.error())
      return
    }
    const held = this.#owner.hold(this, now - this.#patience.movedAt)
    if (held > 0) this.#patience.gatherUntil(now + held)
    else this.streamUnlessWhole()
  }
}
