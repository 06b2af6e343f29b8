import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { addressList, plainAddress } from '../config/addresses.ts'
import type { ClientFacts } from './forwarded.ts'

const PEER = Symbol('holdfast.peer')

interface Peer {
  readonly address: string
  readonly trusted: boolean
}

/** Reads off a request who sent it. What does not change is kept with the connection. */
export function clientReader(trustProxy: readonly string[]): (request: FastifyRequest) => ClientFacts {
  const trusts = addressList(trustProxy)
  return (request) => {
    const { raw } = request
    const socket = raw.socket as IncomingMessage['socket'] & { [PEER]?: Peer; encrypted?: boolean }
    let peer = socket[PEER]
    if (peer === undefined) {
      const address = plainAddress(socket.remoteAddress ?? 'unknown')
      peer = { address, trusted: trusts(address) }
      // With HTTP/2 the socket is a proxy that keeps no properties of its own; then it is read anew.
      if (raw.httpVersionMajor === 1) socket[PEER] = peer
    }
    return {
      peer: peer.address,
      address: peer.trusted ? request.ip : peer.address,
      protocol: socket.encrypted === true ? 'https' : 'http',
      host: raw.headers.host ?? (raw.headers[':authority'] as string | undefined) ?? '',
      httpVersion: raw.httpVersion,
      requestId: request.id,
    }
  }
}
