import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type {
  AttemptRecord,
  Exchange,
  ExchangePlan,
  Lease,
  LeaseRequest,
  Outcome,
  Target,
} from '../upstreams/contract.ts'
import { failureError, refusalError } from './errors.ts'
import { type Handshake, handshakeHeaders, handshakeOutcome, sendHandshake } from './handshake.ts'
import { requestHeaders, responseHeaders } from './headers.ts'
import { join } from './join.ts'
import type { TunnelFacts } from './tunnel-facts.ts'

const NONE_TRIED: ReadonlySet<Target> = new Set()

function noHttp(): never {
  throw new Error('a tunnel carries no HTTP exchange')
}

/**
 * An upgrade (WebSocket or another) on its way to a target. If the target agrees, the two sockets are joined
 * and bytes pass untouched; if it refuses, its answer is the client's answer. The lease is held until the
 * tunnel is closed.
 */
export class Tunnel implements Exchange {
  readonly plan: ExchangePlan
  readonly attempts: AttemptRecord[] = []
  upstreamMs = 0
  readonly begin = noHttp
  readonly outgoing = noHttp
  readonly incoming = noHttp
  readonly answer = noHttp
  readonly #facts: TunnelFacts
  readonly #startedAt = performance.now()
  #handshake: Handshake | undefined
  #pause: NodeJS.Timeout | undefined
  #left = false

  constructor(facts: TunnelFacts) {
    this.#facts = facts
    this.plan = facts.plan
  }

  open(): void {
    const { socket } = this.#facts.upgrade
    socket.once('close', this.#onLeft)
    // Nobody reads the socket yet, so that its end would go unnoticed: a look is enough, and takes nothing.
    socket.on('readable', this.#look).once('end', this.#onLeft)
    this.#try({ key: this.plan.key, repeatable: true, tried: NONE_TRIED })
  }

  readonly #look = (): void => {
    if (this.#facts.upgrade.socket.readableLength === 0) this.#facts.upgrade.socket.read(0)
  }

  readonly #onLeft = (): void => {
    this.#left = true
    clearTimeout(this.#pause)
    this.#handshake?.destroy()
    this.#facts.upgrade.socket.destroy()
  }

  #stay(): void {
    this.#facts.upgrade.socket.off('close', this.#onLeft).off('readable', this.#look).off('end', this.#onLeft)
  }

  #try(placing: LeaseRequest): void {
    const lease = this.#facts.route.upstream.lease(placing)
    if (typeof lease === 'string') {
      this.#refuse(refusalError(lease))
      return
    }
    const record: AttemptRecord = { target: lease.target, outcome: undefined, decision: undefined }
    this.attempts.push(record)
    const startedAt = performance.now()
    const settle = (outcome: Outcome): void => {
      this.upstreamMs += performance.now() - startedAt
      record.outcome = outcome
      lease.settle(outcome)
    }
    const answered = (response: IncomingMessage): void => {
      this.#stay()
      record.decision = 'commit'
      const status = response.statusCode ?? 502
      settle({ kind: 'answered', status, latencyMs: performance.now() - startedAt })
    }
    let over = false
    const { config } = this.#facts.route
    const host =
      config.host === 'preserve' ? this.#facts.client.host : this.#facts.route.pool(lease.target).host
    const { headers, method } = this.#facts.request
    const request = sendHandshake(lease, this.#facts.route, {
      method,
      path: this.plan.path,
      headers: requestHeaders(headers, this.#facts.client, host, config.forwarded, this.plan.editRequest),
      protocol: this.#facts.upgrade.protocol,
    })
    this.#handshake = request
    request.on('upgrade', (response, socket, rest) => {
      over = true
      answered(response)
      this.#join(lease, response, socket, rest)
    })
    request.on('response', (response) => {
      over = true
      answered(response)
      this.#refused(lease, response)
    })
    request.on('error', (error) => {
      if (over) return
      over = true
      const outcome = handshakeOutcome(request, error, performance.now() - startedAt)
      settle(this.#left ? { kind: 'abandoned' } : outcome)
      lease.release()
      if (this.#left) record.decision = 'abandon'
      else this.#failed(record, placing, outcome, error)
    })
  }

  #failed(record: AttemptRecord, placing: LeaseRequest, outcome: Outcome, error: Error): void {
    // A handshake without a body changes nothing at the target: it may be tried elsewhere.
    const verdict = this.#facts.route.failover()?.decide(
      {
        upstream: this.plan.upstream,
        target: record.target,
        number: this.attempts.length,
        method: this.#facts.request.method,
        repeatable: true,
        replayable: true,
        elapsedMs: performance.now() - this.#startedAt,
      },
      outcome,
    )
    if (verdict?.retry) {
      record.decision = 'retry'
      const tried = new Set(placing.tried).add(record.target)
      this.#pause = setTimeout(() => this.#again({ ...placing, tried }), verdict.delayMs)
      return
    }
    record.decision = 'give-up'
    this.#refuse(failureError(outcome.kind === 'failed' ? outcome.reason : 'reset', error))
  }

  #again(placing: LeaseRequest): void {
    try {
      this.#try(placing)
    } catch (error) {
      // A policy threw: that is one request's misfortune, not the process's.
      this.#refuse(error as Error)
    }
  }

  #refuse(error: Error): void {
    this.#stay()
    this.#facts.reply.send(error)
  }

  #refused(lease: Lease, response: IncomingMessage): void {
    const headers = responseHeaders(response.headers)
    this.#facts.editResponse?.(headers)
    response.once('close', () => lease.release())
    this.#facts.reply.raw.once('close', () => response.destroy())
    this.#facts.reply
      .code(response.statusCode ?? 502)
      .headers(headers as Record<string, string>)
      .send(response)
  }

  #join(lease: Lease, response: IncomingMessage, target: Duplex, rest: Buffer): void {
    const { socket, head } = this.#facts.upgrade
    const { raw } = this.#facts.reply.hijack()
    const headers = handshakeHeaders(response)
    // What plugins of ours say (a request id, say) goes along, unless the target says it too.
    const own = Object.entries(this.#facts.reply.getHeaders()).filter(
      ([name]) => response.headers[name] === undefined && name !== 'connection',
    )
    for (const [name, value] of own) headers.push(name, String(value))
    raw.sendDate = false
    raw.writeHead(response.statusCode ?? 101, response.statusMessage ?? 'Switching Protocols', headers)
    raw.end()
    if (rest.length > 0) socket.write(rest)
    if (head.length > 0) target.write(head)
    let left = (): void => {}
    const end = join(socket, target, () => {
      left()
      lease.release()
    })
    left = this.#facts.joined(end)
  }
}
