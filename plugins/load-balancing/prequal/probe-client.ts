import http from 'node:http'
import https from 'node:https'
import type { Readable } from 'node:stream'
import type { SecureContext } from 'node:tls'
import { messageOf } from '../../config/messages.ts'
import { retireAgent } from '../../config/retire-agent.ts'
import type { Target, UpstreamRegistry } from '../../upstreams/contract.ts'
import { ADDRESS_CHANGED } from '../../upstreams/events.ts'
import { readLoadReport } from '../load/orca-report.ts'
import { Http2Sessions } from './http2-sessions.ts'
import type { Answered, Ask, ProbeQuestion } from './probes.ts'

/** How a target is reached, as the transport says. */
export interface ProbeAddress {
  readonly connect: { readonly host: string; readonly port: number } | { readonly path: string }
  readonly hostHeader: string
  readonly tls:
    | {
        readonly secureContext: SecureContext
        readonly rejectUnauthorized: boolean
        readonly servername: string
      }
    | undefined
  /** What its requests are sent by. */
  readonly http2: boolean
}

/** An answer's body is read up to here. */
const LONGEST = 4096
const REPORT = 'endpoint-load-metrics'

/**
 * Asks targets over HTTP for their requests in flight and latency: the body `{ "rif": 3, "latencyMs": 12 }`, or the
 * header `endpoint-load-metrics` with metrics of these names, by the protocol that requests are sent by. One probe at a time and target, over connections that
 * are kept; they are sent after the request that caused them.
 */
export class ProbeClient {
  readonly #addressOf: (target: Target) => ProbeAddress
  readonly #turned: (target: Target, why: string | undefined) => void
  readonly #agents = new Map<Target, http.Agent>()
  readonly #sessions = new Http2Sessions()
  readonly #busy = new Set<Target>()
  readonly #failing = new Set<Target>()
  #closed = false

  /** @param turned hears why a target's probes fail, when the first one does; and undefined, when they work again */
  constructor(
    addressOf: (target: Target) => ProbeAddress,
    turned: (target: Target, why: string | undefined) => void,
  ) {
    this.#addressOf = addressOf
    this.#turned = turned
  }

  readonly ask: Ask = (target, question, answered) => {
    if (this.#closed || this.#busy.has(target)) return
    this.#busy.add(target)
    setImmediate(() => this.#send(target, question, answered))
  }

  forget(target: Target): void {
    this.#failing.delete(target)
    this.#sessions.forget(target)
    this.renew(target)
  }

  /** The next probe goes over a new connection. */
  renew(target: Target): void {
    this.#sessions.retire(target)
    const agent = this.#agents.get(target)
    if (agent === undefined) return
    this.#agents.delete(target)
    retireAgent(agent)
  }

  close(): void {
    this.#closed = true
    for (const agent of this.#agents.values()) agent.destroy()
    this.#sessions.closeAll()
  }

  #send(target: Target, { path, timeout }: ProbeQuestion, answered: Answered): void {
    if (this.#closed) return
    let over = false
    const end = (why: string | undefined): void => {
      if (over) return
      over = true
      clearTimeout(timer)
      this.#busy.delete(target)
      this.#tell(target, why)
    }
    const timer = setTimeout(() => {
      end(`no answer within ${timeout} ms`)
      cancel()
    }, timeout).unref()
    let cancel = (): void => {}
    try {
      cancel = this.#open(target, path, (answer) => {
        if (typeof answer === 'string') {
          end(answer)
          return
        }
        if (!over) answered(target, answer.rif, answer.latencyMs)
        end(undefined)
      })
    } catch (error) {
      // Its TLS files may have become unreadable since the start.
      end(messageOf(error))
    }
  }

  /** @returns what gives up waiting, and the connection with it */
  #open(target: Target, path: string, heard: Heard): () => void {
    const address = this.#addressOf(target)
    if (address.http2 && !this.#sessions.refusedBy(target)) {
      const stream = this.#sessions.ask(target, address, path)
      stream.on('error', (error) => heard(error.message))
      stream.on('close', () => heard('the connection was closed'))
      stream.on('response', ({ ':status': status, [REPORT]: report }) =>
        readAnswer(stream, status, report, heard),
      )
      return () => this.#sessions.close(target)
    }
    const request = this.#request(target, address, path)
    request.on('error', (error) => heard(error.message))
    request.on('upgrade', (_response, socket) => {
      socket.destroy()
      heard('status 101')
    })
    request.on('response', (response) =>
      readAnswer(response, response.statusCode, response.headers[REPORT], heard),
    )
    request.end()
    return () => request.destroy()
  }

  #request(target: Target, { connect, hostHeader, tls }: ProbeAddress, path: string): http.ClientRequest {
    const { request, Agent } = tls === undefined ? http : https
    const agent = this.#agents.get(target) ?? new Agent({ keepAlive: true, maxSockets: 1 })
    this.#agents.set(target, agent)
    const where = 'path' in connect ? { socketPath: connect.path } : connect
    return request({ ...where, ...tls, path, headers: { host: hostHeader }, agent })
  }

  #tell(target: Target, why: string | undefined): void {
    if (this.#closed || this.#failing.has(target) === (why !== undefined)) return
    if (why === undefined) this.#failing.delete(target)
    else this.#failing.add(target)
    this.#turned(target, why)
  }
}

type Answer = { readonly rif: number; readonly latencyMs: number }
/** Hears the answer, or why it is none; what comes later is nothing. */
type Heard = (answer: Answer | string) => void

function readAnswer(stream: Readable, status: unknown, header: unknown, heard: Heard): void {
  let body = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    body += chunk
    if (body.length <= LONGEST) return
    heard(`more than ${LONGEST} bytes`)
    stream.destroy()
  })
  stream.on('error', (error) => heard(error.message))
  stream.on('end', () => {
    if (status !== 200) {
      heard(`status ${status}`)
      return
    }
    const report = readLoadReport(typeof header === 'string' ? header : `JSON ${body}`)
    heard(report === undefined || Number.isNaN(report.rif) ? 'it tells no "rif"' : report)
  })
}

/** A client that tells the registry when the probes of a target begin to fail and when they work again. */
export function probesFor(
  registry: UpstreamRegistry,
  addressOf: (target: Target) => ProbeAddress,
): ProbeClient {
  const probes = new ProbeClient(addressOf, (target, why) => {
    const told = { upstream: target.upstream, target, by: 'prequal' }
    if (why === undefined)
      registry.announce({ ...told, name: 'probes-answered', why: 'a probe was answered', level: 'info' })
    else registry.announce({ ...told, name: 'probes-failing', why, level: 'warn' })
  })
  registry.onTargetChange(({ kind, target }) => {
    if (kind === 'removed') probes.forget(target)
  })
  registry.onEvent(({ name, target }) => {
    if (name === ADDRESS_CHANGED && target !== undefined) probes.renew(target)
  })
  return probes
}
