import http2 from 'node:http2'

/** Node's own, where it differs from what the same calls do with HTTP/1.1. */
export class GatewayHttp2Response extends http2.Http2ServerResponse {
  /** A connection is no business of one stream's. Node drops the header too, but not without a word. */
  override setHeader(name: string, value: number | string | readonly string[]): void {
    if (name.toLowerCase() !== 'connection') super.setHeader(name, value)
  }

  /** Cut off in the middle, the answer must not look whole: Node would reset the stream with NO_ERROR. */
  override destroy(error?: Error): this {
    const { stream } = this
    if (stream !== undefined && !stream.destroyed && !this.writableEnded) {
      stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR)
    }
    return super.destroy(error)
  }
}
