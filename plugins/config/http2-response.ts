import http2 from 'node:http2'

/** Node's own, where it differs from what the same calls do with HTTP/1.1. */
export class GatewayHttp2Response extends http2.Http2ServerResponse {
  constructor(...parameters: ConstructorParameters<typeof http2.Http2ServerResponse>) {
    super(...parameters)
    // A body that nobody reads to its end keeps its stream, and so the whole session, from ever closing.
    // (The response's own `finish` comes only after that.)
    this.stream.once('finish', () => this.req.resume())
  }

  /** A connection is no business of one stream's. Node drops the header too, but not without a word. */
  override setHeader(name: string, value: number | string | readonly string[]): void {
    if (name.toLowerCase() !== 'connection') super.setHeader(name, value)
  }

  override writeHead(status: number, ...more: unknown[]): this {
    const headers = more.at(-1)
    if (typeof headers === 'object' && headers !== null && 'connection' in headers) {
      const { connection: _, ...kept } = headers
      more[more.length - 1] = kept
    }
    return super.writeHead(status, ...(more as []))
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
