import http2, { type ServerHttp2Session } from 'node:http2'
import { peerOfSession } from './peer.ts'

/** Node's own, that knows how much of its body has come: its connection, which others share, cannot tell. */
export class GatewayHttp2Request extends http2.Http2ServerRequest {
  static {
    // Whoever asks later than the client has left is told all the same who it was. In the types it is a property, which
    // no accessor may override.
    Object.defineProperty(GatewayHttp2Request.prototype, 'socket', {
      get(this: GatewayHttp2Request) {
        const socket = Reflect.get(http2.Http2ServerRequest.prototype, 'socket', this)
        return this.stream.session === undefined ? Object.create(socket, this.#peer) : socket
      },
    })
  }

  bodyBytes = 0
  readonly #peer = peerOfSession(this.stream.session as ServerHttp2Session | undefined)

  override push(chunk: Uint8Array | null, encoding?: BufferEncoding): boolean {
    if (chunk !== null) this.bodyBytes += chunk.length
    return super.push(chunk, encoding)
  }
}
