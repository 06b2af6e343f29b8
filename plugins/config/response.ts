import http from 'node:http'

const NOT_ASCII = /[^\0-\x7f]/

/**
 * Node's own, but that a text never changes the bytes of the headers: Node sends a head and the text behind it as one
 * text, in UTF-8, and header values beyond ASCII become two bytes each. As Latin-1 the two leave in one write as well,
 * and with less work.
 */
export class GatewayResponse extends http.ServerResponse {
  /** A body that is known to be ASCII, so that nobody has to look again. */
  ascii: string | undefined = undefined

  override end(chunk?: unknown, encoding?: unknown, callback?: unknown): this {
    if (typeof chunk !== 'string' || (encoding !== null && encoding !== undefined)) {
      return super.end(chunk as string, encoding as BufferEncoding, callback as () => void)
    }
    return chunk === this.ascii || !NOT_ASCII.test(chunk)
      ? super.end(chunk, 'latin1', callback as () => void)
      : super.end(Buffer.from(chunk), callback as () => void)
  }
}
