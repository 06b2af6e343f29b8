/**
 * Who is at the other end of a connection. The system tells as long as the connection stands, and Node remembers it from
 * the first time that it is asked: after a reset it would be too late, with requests still to be read.
 */
import type { Http2Server, ServerHttp2Session } from 'node:http2'
import type { Server, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

const PEER = Symbol('holdfast.peer')
type Session = ServerHttp2Session & { [PEER]?: PropertyDescriptorMap }

/**
 * Asks for the address of each connection when it is taken. One that has none any more was reset before: nobody waits for
 * an answer, so nothing that it brought is served. On a socket in the file system nobody has an address.
 */
export function rememberPeers(listener: Server): void {
  const remember = (socket: Socket): void => {
    if (socket.remoteAddress === undefined && typeof listener.address() !== 'string') socket.destroy()
  }
  listener.on('connection', remember)
  // With TLS that is another socket, which remembers for itself.
  listener.on('secureConnection', remember)
}

/** The same for sessions of HTTP/2: their streams forget the connection when they end. */
export function rememberSessions(listener: Http2Server | Server): void {
  const server = listener as Http2Server
  server.on('session', (session: Session) => {
    const { remoteAddress, encrypted } = session.socket as TLSSocket
    session[PEER] = { remoteAddress: { value: remoteAddress }, encrypted: { value: encrypted } }
  })
}

/** What is remembered of a session's connection, as properties of a socket. */
export function peerOfSession(session: ServerHttp2Session | undefined): PropertyDescriptorMap {
  return (session as Session | undefined)?.[PEER] ?? {}
}
