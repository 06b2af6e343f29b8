import type { IncomingMessage } from 'node:http'
import { addressList } from '../config/addresses.ts'
import type { ClientFacts } from './headers.ts'

const PEER = Symbol('holdfast.peer')

interface Peer {
  readonly address: string
  readonly trusted: boolean
}

/** An address of version 4 that came over a socket of version 6. */
function plain(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address
}

/** Reads off a request who sent it. What does not change is kept with the connection. */
export function clientReader(
  trustProxy: readonly string[],
): (raw: IncomingMessage, requestId: string) => ClientFacts {
  const trusts = addressList(trustProxy)
  return (raw, requestId) => {
    const socket = raw.socket as IncomingMessage['socket'] & { [PEER]?: Peer; encrypted?: boolean }
    let peer = socket[PEER]
    if (peer === undefined) {
      const address = plain(socket.remoteAddress ?? 'unknown')
      peer = { address, trusted: trusts(address) }
      // With HTTP/2 the socket is a proxy that keeps no properties of its own; then it is read anew.
      if (raw.httpVersionMajor === 1) socket[PEER] = peer
    }
    return {
      peer: peer.address,
      trusted: peer.trusted,
      protocol: socket.encrypted === true ? 'https' : 'http',
      host: raw.headers.host ?? (raw.headers[':authority'] as string | undefined) ?? '',
      httpVersion: raw.httpVersion,
      requestId,
    }
  }
}
