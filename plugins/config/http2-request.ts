import http2 from 'node:http2'

/** Node's own, that knows how much of its body has come: its connection, which others share, cannot tell. */
export class GatewayHttp2Request extends http2.Http2ServerRequest {
  bodyBytes = 0

  override push(chunk: Uint8Array | null, encoding?: BufferEncoding): boolean {
    if (chunk !== null) this.bodyBytes += chunk.length
    return super.push(chunk, encoding)
  }
}
