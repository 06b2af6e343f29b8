import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { LINGER_MS, STOPPING } from './close.ts'

/**
 * Connections that have not said yet what they are. No server of Node's knows them as idle, and on a stop it would
 * wait for them: so they are given the moment that all others have, and are ended.
 */
export class SilentConnections {
  readonly #sockets = new Set<Socket>()

  constructor(listener: Server) {
    listener.once(STOPPING, () => {
      setTimeout(() => {
        for (const socket of this.#sockets) socket.destroy()
      }, LINGER_MS)
    })
  }

  add(socket: Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
  }

  delete(socket: Socket): void {
    this.#sockets.delete(socket)
  }
}

/** The same for those that have not got through their TLS handshake. */
export function endHandshakes(listener: Server): Server {
  const silent = new SilentConnections(listener)
  const shaking = new Map<string, Socket>()
  const peer = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`
  listener.on('connection', (socket: Socket) => {
    const key = peer(socket)
    shaking.set(key, socket)
    silent.add(socket)
    socket.once('close', () => {
      if (shaking.get(key) === socket) shaking.delete(key)
    })
  })
  // It is another socket, over the one that was accepted.
  listener.on('secureConnection', (secure: Socket) => {
    const socket = shaking.get(peer(secure))
    if (socket !== undefined) silent.delete(socket)
  })
  return listener
}
