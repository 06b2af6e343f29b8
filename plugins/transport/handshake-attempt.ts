import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Lease, Outcome } from '../upstreams/contract.ts'
import type { AttemptRecord } from '../upstreams/exchange.ts'
import { isFinal, UnknownStatusError } from './errors.ts'
import { type Handshake, type HandshakeRequest, sendHandshake } from './handshake.ts'
import { Leased } from './leased.ts'
import { answered, failed, givenUp } from './outcomes.ts'
import type { Route } from './route.ts'
import type { Running } from './running.ts'

/** Whom it reports to: one of the three, or silence once it is abandoned. */
export interface HandshakeOwner {
  upgraded(attempt: HandshakeAttempt, response: IncomingMessage, socket: Duplex, rest: Buffer): void
  /** The answer is an ordinary one. */
  refused(attempt: HandshakeAttempt, response: IncomingMessage): void
  lost(attempt: HandshakeAttempt, error: unknown, outcome: Outcome): void
}

/** One try to have a target agree to an upgrade. Once it is answered, its lease is the owner's to release. */
export class HandshakeAttempt extends Leased implements Running {
  over = false
  readonly #owner: HandshakeOwner
  readonly #route: Route
  readonly #options: HandshakeRequest
  #request: Handshake | undefined

  constructor(
    owner: HandshakeOwner,
    lease: Lease,
    kind: AttemptRecord['kind'],
    route: Route,
    options: HandshakeRequest,
  ) {
    super(lease, kind)
    this.#owner = owner
    this.#route = route
    this.#options = options
  }

  get requestSent(): boolean {
    return this.#request?.requestSent ?? false
  }

  send(): void {
    const request = sendHandshake(this.lease, this.#route, this.#options)
    this.#request = request
    request.on('upgrade', (response, socket, rest) => {
      this.#answered(response)
      this.#owner.upgraded(this, response, socket, rest)
    })
    request.on('response', (response) => {
      const { statusCode = 0 } = response
      if (!isFinal(statusCode)) {
        this.#failed(new UnknownStatusError(statusCode))
        request.destroy()
        return
      }
      this.#answered(response)
      this.#owner.refused(this, response)
    })
    request.on('error', (error) => this.#failed(error))
  }

  abandon(outcome = givenUp(!this.over, this.record)): void {
    if (this.over) return
    this.over = true
    this.leave(outcome)
    this.#request?.destroy()
  }

  #failed(error: Error): void {
    if (this.over) return
    this.latencyMs = performance.now() - this.startedAt
    const outcome = failed(error, this.requestSent, this.latencyMs)
    this.over = true
    this.leave(outcome)
    this.#owner.lost(this, error, outcome)
  }

  #answered({ statusCode = 502, headers }: IncomingMessage): void {
    this.latencyMs = performance.now() - this.startedAt
    this.over = true
    this.record.endedAt = performance.now()
    this.settle(answered(statusCode, this.latencyMs, headers))
  }
}
