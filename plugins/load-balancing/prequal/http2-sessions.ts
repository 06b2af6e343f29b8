import http2, { type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import net from 'node:net'
import tls from 'node:tls'
import type { Target } from '../../upstreams/contract.ts'
import type { ProbeAddress } from './probe-client.ts'

/** Connections of HTTP/2 that probes go over: one for each target, by ALPN with TLS, by prior knowledge without. */
export class Http2Sessions {
  readonly #open = new Map<Target, ClientHttp2Session>()
  /** What they have agreed on over TLS is not HTTP/2. */
  readonly #without = new Set<Target>()

  /** Whether the target is known to have none. */
  refusedBy(target: Target): boolean {
    return this.#without.has(target)
  }

  forget(target: Target): void {
    this.#without.delete(target)
    this.close(target)
  }

  /** Asks for a path. Who waits no longer destroys the stream and closes the connection, on which nothing comes. */
  ask(target: Target, address: ProbeAddress, path: string): ClientHttp2Stream {
    const session = this.#open.get(target) ?? this.#connect(target, address)
    session.ref()
    const stream = session.request({ ':path': path, ':authority': address.hostHeader }, { endStream: true })
    // Between probes it keeps no process alive.
    stream.once('close', () => session.unref())
    return stream
  }

  /** The next question goes over a new connection; what is asked on the old one is still answered. */
  retire(target: Target): void {
    this.#open.get(target)?.close()
    this.#open.delete(target)
  }

  close(target: Target): void {
    this.#open.get(target)?.destroy()
    this.#open.delete(target)
  }

  closeAll(): void {
    for (const target of this.#open.keys()) this.close(target)
  }

  #connect(target: Target, { connect, tls: secured }: ProbeAddress): ClientHttp2Session {
    const socket =
      secured === undefined
        ? net.connect(connect)
        : tls.connect({ ...connect, ...secured, ALPNProtocols: ['h2', 'http/1.1'] })
    // The authority is each request's own; this one is never seen.
    const session = http2.connect(`${secured === undefined ? 'http' : 'https'}://localhost`, {
      createConnection: () => socket,
      settings: { enablePush: false },
    })
    this.#open.set(target, session)
    socket.once('secureConnect', () => {
      if ((socket as tls.TLSSocket).alpnProtocol === 'h2') return
      this.#without.add(target)
      session.destroy(new Error('the target speaks no HTTP/2'))
    })
    const end = (): void => {
      if (this.#open.get(target) === session) this.#open.delete(target)
    }
    // The streams on it hear of it as well.
    session.on('error', end)
    session.on('goaway', end)
    session.on('close', end)
    return session
  }
}
