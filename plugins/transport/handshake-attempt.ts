import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Lease, Outcome } from '../upstreams/contract.ts'
import type { AttemptRecord } from '../upstreams/exchange.ts'
import { UnknownStatusError } from './errors.ts'
import { type Handshake, type HandshakeRequest, sendHandshake } from './handshake.ts'
import { ABANDONED, answered, attemptRecord, failed } from './outcomes.ts'
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
export class HandshakeAttempt implements Running {
  readonly lease: Lease
  readonly record: AttemptRecord
  readonly startedAt = performance.now()
  /** Milliseconds until it was answered or failed. */
  latencyMs = 0
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
    this.#owner = owner
    this.lease = lease
    this.#route = route
    this.#options = options
    this.record = attemptRecord(lease.target, kind, this.startedAt)
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
      if (statusCode > 599) {
        this.#failed(new UnknownStatusError(statusCode))
        request.destroy()
        return
      }
      this.#answered(response)
      this.#owner.refused(this, response)
    })
    request.on('error', (error) => this.#failed(error))
  }

  abandon(outcome: Outcome = ABANDONED): void {
    if (this.over) return
    this.#settle(outcome)
    this.lease.release()
    this.#request?.destroy()
  }

  #failed(error: Error): void {
    if (this.over) return
    this.latencyMs = performance.now() - this.startedAt
    const outcome = failed(error, this.requestSent, this.latencyMs)
    this.#settle(outcome)
    this.lease.release()
    this.#owner.lost(this, error, outcome)
  }

  #answered({ statusCode = 502, headers }: IncomingMessage): void {
    this.latencyMs = performance.now() - this.startedAt
    this.#settle(answered(statusCode, this.latencyMs, headers))
  }

  #settle(outcome: Outcome): void {
    this.over = true
    this.record.outcome = outcome
    this.record.endedAt = performance.now()
    this.lease.settle(outcome)
  }
}
