import http from 'node:http'
import net from 'node:net'
import tls from 'node:tls'
import { retireAgent } from '../../config/retire-agent.ts'
import type { FailureReason } from '../../upstreams/contract.ts'
import type { Answer } from './external.ts'
import { NoAnswerError } from './no-answer.ts'

/** So much of an answer's body is read away so that its connection can be used again; nobody looks at it. */
const BODY_BYTES = 64 * 1024
/** Below what most servers keep idle connections for. */
const KEEP_ALIVE_MS = 4000

/** Where a service is, as the transport's `app.targetAddress` says it. */
export interface Address {
  readonly connect: { readonly host: string; readonly port: number } | { readonly path: string }
  readonly hostHeader: string
  readonly tls: tls.ConnectionOptions | undefined
}

export class CallError extends NoAnswerError {
  readonly reason: FailureReason
  readonly requestSent: boolean

  constructor(message: string, reason: FailureReason, requestSent: boolean) {
    super(message)
    this.reason = reason
    this.requestSent = requestSent
  }
}

/** Connections to one server, kept open between questions. */
export class ServiceClient {
  readonly #address: Address
  readonly #agent: http.Agent

  constructor(address: Address) {
    this.#address = address
    this.#agent = new http.Agent({ keepAlive: true, scheduling: 'lifo', timeout: KEEP_ALIVE_MS })
    const { connect, tls: secured } = address
    Object.assign(this.#agent, {
      createConnection: () =>
        secured === undefined
          ? net.connect(connect)
          : tls.connect({ ...connect, ...secured, ALPNProtocols: ['http/1.1'] }),
    })
  }

  /**
   * Asks, and resolves with the head of the answer. Rejects with a `CallError`.
   * @param heard called with the head at once, whereas whoever waits for the promise may hear of it after `over`
   * @param over called when nothing more of an answer comes; not where there is none
   */
  get(
    path: string,
    headers: Readonly<Record<string, string>>,
    timeoutMs: number,
    heard: (answer: Answer) => void,
    over: () => void,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const ask = (again: boolean): void => {
        const request = http.request({
          agent: this.#agent,
          path,
          headers: { ...headers, host: this.#address.hostHeader },
        })
        let sent = false
        let late = false
        const fail = (message: string, reason: FailureReason): void => {
          reject(new CallError(message, reason, sent))
        }
        let timer = setTimeout(() => {
          late = true
          request.destroy()
          fail(`no answer within ${timeoutMs} ms`, 'timeout')
        }, timeoutMs)
        request.once('socket', (socket) => {
          const event = this.#address.tls === undefined ? 'connect' : 'secureConnect'
          sent = !socket.connecting
          if (sent) return
          socket.once(event, () => {
            sent = true
          })
        })
        request.on('error', (error: NodeJS.ErrnoException) => {
          clearTimeout(timer)
          if (late) return
          // It closed the connection just as we used it again: that says nothing of it.
          if (again && request.reusedSocket && error.code === 'ECONNRESET') ask(false)
          else fail(error.code ?? error.message, sent ? 'reset' : 'connect')
        })
        request.once('upgrade', (_response, socket) => {
          clearTimeout(timer)
          socket.destroy()
          fail('it answered with an upgrade', 'protocol')
        })
        request.once('response', (response) => {
          clearTimeout(timer)
          timer = setTimeout(() => response.destroy(), timeoutMs).unref()
          let length = 0
          response.on('data', (chunk: Buffer) => {
            length += chunk.length
            if (length > BODY_BYTES) response.destroy()
          })
          response.on('error', () => {})
          response.once('close', () => {
            clearTimeout(timer)
            over()
          })
          const answer = { status: response.statusCode ?? 0, headers: response.headers }
          heard(answer)
          resolve(answer)
        })
        request.end()
      }
      ask(true)
    })
  }

  /** What is being asked is still answered. */
  retire(): void {
    retireAgent(this.#agent)
  }

  close(): void {
    this.#agent.destroy()
  }
}
