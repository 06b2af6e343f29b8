import http2, { type ServerHttp2Stream } from 'node:http2'
import type { GatewayHttp2Request } from './http2-request.ts'

type WriteInformation = (status: number, headers?: Readonly<Record<string, string | string[]>>) => boolean
/** Newer than the types. */
const informing = http2.Http2ServerResponse.prototype as unknown as { writeInformation: WriteInformation }

function encodingOf([encoding]: readonly unknown[]): BufferEncoding {
  return typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8'
}

function destroyClosed(stream: ServerHttp2Stream): void {
  stream.destroy()
}

/**
 * Node destroys a stream that was closed with NO_ERROR only once all of its body is read. Whoever has refused or given
 * up the body reads no more of it, and the stream would keep its whole session for ever.
 */
function push(this: ServerHttp2Stream, chunk: Buffer | null): boolean {
  // A closed stream has nothing more to bring, and this is how Node says so. Not at once: it is in the middle of it.
  if (chunk === null && this.closed && !this.destroyed) setImmediate(destroyClosed, this)
  return Object.getPrototypeOf(this).push.call(this, chunk)
}

/** Node's own, where it differs from what the same calls do with HTTP/1.1. */
export class GatewayHttp2Response extends http2.Http2ServerResponse<GatewayHttp2Request> {
  /** Of the body, handed over so far: a connection that others share cannot tell. */
  bodyBytes = 0

  constructor(...parameters: ConstructorParameters<typeof http2.Http2ServerResponse>) {
    super(...parameters)
    Object.assign(this.stream, { push })
    // And it is closed only once all of its body has come: what nobody wants of it is let in when the answer is out.
    // (The response's own `finish` comes only after that.)
    this.stream.once('finish', () => this.req.resume())
    // Node leaves it undefined: who comes too late for `close` would wait for it for ever.
    this.destroyed = false
    this.stream.prependOnceListener('close', () => {
      this.destroyed = true
      // Node never tells of the end of a HEAD request that is reset before its answer.
      if (this.req.method === 'HEAD' && !this.writableEnded) this.end()
    })
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

  // `end` comes by here with what it has to write.
  override write(chunk: string | Uint8Array, ...more: unknown[]): boolean {
    const written = super.write(chunk, ...(more as []))
    this.bodyBytes += typeof chunk === 'string' ? Buffer.byteLength(chunk, encodingOf(more)) : chunk.length
    return written
  }

  /** Once the client has gone, or wants no more, nothing can be sent; Node would throw. */
  #closed(): boolean {
    return this.stream.destroyed || this.stream.closed
  }

  override writeContinue(): void {
    if (!this.#closed()) super.writeContinue()
  }

  override writeEarlyHints(hints: Record<string, string | string[]>): void {
    if (!this.#closed()) super.writeEarlyHints(hints)
  }

  /** @returns false if it is too late for it */
  writeInformation(...parameters: Parameters<WriteInformation>): boolean {
    return !this.#closed() && informing.writeInformation.apply(this, parameters)
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
