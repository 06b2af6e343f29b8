import type http from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** The same for a connection as it was accepted and for the encrypted one over it, which is another socket. */
function peer({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}

/**
 * What is open on a listener with TLS, so that it can be told to go: whom a connection comes from has been found out
 * once, when it was made.
 */
export class OpenConnections {
  /** Those that have not got through the handshake yet. */
  readonly #shaking = new Map<string, Socket>()
  /** Those of HTTP/1, each with the answers that it waits for. */
  readonly #answers = new Map<Socket, Set<ServerResponse>>()
  readonly #sessions = new Set<ServerHttp2Session>()

  constructor(listener: http.Server) {
    listener.on('connection', (socket: Socket) => {
      const key = peer(socket)
      this.#shaking.set(key, socket)
      socket.once('close', () => {
        if (this.#shaking.get(key) === socket) this.#shaking.delete(key)
      })
    })
    listener.on('secureConnection', (socket: TLSSocket) => {
      this.#shaking.delete(peer(socket))
      if (socket.alpnProtocol === 'h2') return
      this.#answers.set(socket, new Set())
      socket.once('close', () => this.#answers.delete(socket))
    })
    listener.on('session', (session: ServerHttp2Session) => {
      this.#sessions.add(session)
      session.once('close', () => this.#sessions.delete(session))
    })
    listener.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
      const answers = this.#answers.get(request.socket)
      if (answers === undefined) return
      answers.add(response)
      response.once('close', () => answers.delete(response))
    })
    // A tunnel is one request, and under way as long as it lasts.
    listener.on('upgrade', ({ socket }: IncomingMessage) => void this.#answers.delete(socket))
  }

  /** Ends them all: what is under way on them is finished, and nothing else is taken. */
  end(): void {
    for (const socket of this.#shaking.values()) socket.destroy()
    // GOAWAY.
    for (const session of this.#sessions) session.close()
    for (const [socket, answers] of this.#answers) {
      if (answers.size === 0) socket.destroy()
      for (const response of answers) {
        response.shouldKeepAlive = false
        // Its head may have said already that the connection stays. Before Node takes up what has come after it.
        response.prependOnceListener('finish', () => socket.destroy())
      }
    }
  }
}
