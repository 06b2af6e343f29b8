import net from 'node:net'
import tls from 'node:tls'
import type { Run } from './run.ts'

/** Where a target is, as the transport's `app.targetAddress` says it. */
export interface Address {
  readonly connect: { readonly host: string; readonly port: number } | { readonly path: string }
  /** Its own Host header. */
  readonly hostHeader: string
  /** Undefined where it is spoken to in plain text. */
  readonly tls:
    | {
        readonly secureContext: tls.SecureContext
        readonly rejectUnauthorized: boolean
        readonly servername: string
      }
    | undefined
}

/** The same server at another port; a unix socket has none and stays what it is. */
export function atPort(address: Address, port: number | undefined): Address {
  if (port === undefined || 'path' in address.connect) return address
  const hostHeader = `${address.hostHeader.replace(/:\d+$/, '')}:${port}`
  return { ...address, connect: { ...address.connect, port }, hostHeader }
}

/**
 * Opens a connection of the check's own, TLS handshake included, and hands it on.
 * @param protocols offered by ALPN, the best one first
 */
export function openSocket(
  run: Run,
  { connect, tls: secured }: Address,
  protocols: readonly string[],
  opened: (socket: net.Socket) => void,
): void {
  const socket =
    secured === undefined
      ? net.connect(connect)
      : tls.connect({ ...connect, ...secured, ALPNProtocols: [...protocols] })
  run.atEnd(() => socket.destroy())
  socket.on('error', run.broke)
  const handOn = (): void => {
    // What is thrown in an event's listener would end the process.
    try {
      opened(socket)
    } catch (error) {
      run.broke(error)
    }
  }
  if (secured === undefined) socket.once('connect', handOn)
  else {
    socket.once('connect', () => {
      run.waitingFor = 'the TLS handshake'
    })
    socket.once('secureConnect', handOn)
  }
}

/** What was agreed on by ALPN; undefined without TLS or without an agreement. */
export function agreedProtocol(socket: net.Socket): string | undefined {
  return socket instanceof tls.TLSSocket ? socket.alpnProtocol || undefined : undefined
}
