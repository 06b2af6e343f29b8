import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Lease, Outcome } from '../upstreams/contract.ts'
import type { AttemptRecord, Exchange } from '../upstreams/exchange.ts'
import { isText } from './h1/characters.ts'
import { handshakeHeaders } from './handshake.ts'
import { HandshakeAttempt, type HandshakeOwner } from './handshake-attempt.ts'
import { requestHeaders, responseHeaders } from './headers.ts'
import { join } from './join.ts'
import { AttemptLoop } from './loop.ts'
import type { TunnelFacts } from './tunnel-facts.ts'

function noHttp(): never {
  throw new Error('a tunnel carries no HTTP exchange')
}

/**
 * An upgrade (WebSocket or another) on its way to a target. If the target agrees, the two sockets are joined
 * and bytes pass untouched; if it refuses, its answer is the client's answer. The lease is held until the
 * tunnel is closed.
 */
export class Tunnel extends AttemptLoop implements Exchange, HandshakeOwner {
  readonly broken = false
  readonly begin = noHttp
  readonly outgoing = noHttp
  readonly incoming = noHttp
  readonly answer = noHttp
  readonly #around: TunnelFacts

  constructor(around: TunnelFacts) {
    // A handshake without a body changes nothing at the target: it may be tried elsewhere.
    super(around.route, around.plan, around.request.method, true, true)
    this.#around = around
  }

  open(): void {
    const { socket } = this.#around.upgrade
    socket.once('close', this.#onLeft)
    // Nobody reads the socket yet, so that its end would go unnoticed: a look is enough, and takes nothing.
    socket.on('readable', this.#look).once('end', this.#onLeft)
    this.launch(this.lease(), 'first')
  }

  upgraded(attempt: HandshakeAttempt, response: IncomingMessage, socket: Duplex, rest: Buffer): void {
    this.#answered(attempt)
    this.#tell(attempt.lease, socket, () => this.#join(attempt.lease, response, socket, rest))
  }

  override lost(attempt: HandshakeAttempt, error: unknown, outcome: Outcome): void {
    this.route.failed(error)
    super.lost(attempt, error, outcome)
  }

  refused(attempt: HandshakeAttempt, response: IncomingMessage): void {
    this.#answered(attempt)
    const { editResponse, reply } = this.#around
    const status = response.statusCode ?? 502
    const headers = responseHeaders(response.headers, status)
    editResponse?.(headers)
    response.once('close', () => attempt.lease.release())
    reply.raw.once('close', () => response.destroy())
    this.#tell(attempt.lease, response, () =>
      reply
        .code(status)
        .headers(headers as Record<string, string>)
        .send(response),
    )
  }

  protected attempt(lease: Lease, kind: AttemptRecord['kind']): HandshakeAttempt {
    const { client, request, upgrade } = this.#around
    const { config } = this.route
    const host = config.host === 'preserve' ? client.host : this.route.pool(lease.target).host
    const headers = requestHeaders(request.headers, client, {
      host,
      forwarded: config.forwarded,
      prefix: this.plan.prefix,
      edit: this.plan.editRequest,
    })
    const attempt = new HandshakeAttempt(this, lease, kind, this.route, {
      method: request.method,
      path: this.plan.path,
      headers,
      protocol: upgrade.protocol,
    })
    this.route.onAttempt()?.(request, attempt.record, headers)
    return attempt
  }

  protected replayable(): boolean {
    return true
  }

  protected hedgeable(): boolean {
    return false
  }

  protected refuse(error: Error): void {
    this.#stay()
    this.#around.reply.send(error)
  }

  readonly #look = (): void => {
    if (this.#around.upgrade.socket.readableLength === 0) this.#around.upgrade.socket.read(0)
  }

  readonly #onLeft = (): void => {
    this.closed = true
    this.end()
    this.#around.upgrade.socket.destroy()
  }

  #stay(): void {
    this.#around.upgrade.socket
      .off('close', this.#onLeft)
      .off('readable', this.#look)
      .off('end', this.#onLeft)
  }

  #answered(attempt: HandshakeAttempt): void {
    this.#stay()
    this.won(attempt)
  }

  /** Within an event of the target's: what cannot be told to the client must end its request, and not the process. */
  #tell(lease: Lease, target: { destroy(): unknown }, tell: () => void): void {
    try {
      tell()
    } catch (error) {
      this.route.log.error({ err: error }, 'the answer to an upgrade could not be sent')
      target.destroy()
      this.#around.upgrade.socket.destroy()
      lease.release()
    }
  }

  #join(lease: Lease, response: IncomingMessage, target: Duplex, rest: Buffer): void {
    const { socket, head } = this.#around.upgrade
    const { raw } = this.#around.reply.hijack()
    const headers = handshakeHeaders(response)
    // What plugins of ours say (a request id, say) goes along, unless the target says it too.
    const own = Object.entries(this.#around.reply.getHeaders()).filter(
      ([name]) => response.headers[name] === undefined && name !== 'connection',
    )
    for (const [name, value] of own) headers.push(name, String(value))
    raw.sendDate = false
    // Node reads any phrase from a target, and writes not every one.
    const { statusMessage = '' } = response
    raw.writeHead(
      response.statusCode ?? 101,
      isText(statusMessage) ? statusMessage : 'Switching Protocols',
      headers,
    )
    raw.end()
    if (rest.length > 0) socket.write(rest)
    if (head.length > 0) target.write(head)
    let left = (): void => {}
    const end = join(socket, target, () => {
      left()
      lease.release()
    })
    const { timeouts } = this.route.config
    left = this.#around.tunnels.add(this.plan.upstream, [socket, target], timeouts.tunnel, end)
  }
}
