import { ChunkLines } from './chunk-lines.ts'
import { malformed } from './errors.ts'
import { type FieldNames, readFields, sectionEnd } from './fields.ts'
import { CHUNKED, mayBeHead, type ResponseHead, readHead, UNTIL_CLOSE } from './response-head.ts'
import { headersOverflow, Section } from './section.ts'
import type { ResponseHeaders } from './types.ts'

/** Whom a parser tells what it has read. It may pause or stop the parser meanwhile. */
export interface ResponseSink {
  onHead(head: ResponseHead): void
  /** Bytes of the body: `bytes` from `start` to `end`, to be copied if they are to outlive the call. */
  onBody(bytes: Buffer, start: number, end: number): void
  /** The response is over. `more`: there are bytes behind it, which belong to no request. */
  onEnd(trailers: ResponseHeaders, more: boolean): void
}

const IDLE = 0
const HEAD = 1
const FIXED = 2
const CHUNK_LINE = 3
const CHUNK_DATA = 4
const TRAILERS = 5
const OPEN = 6
const DONE = 7

const LINE_END = Buffer.from('\r\n')

/** Reads the responses on a connection, one after the other, from bytes cut anywhere (RFC 9112). */
export class ResponseParser {
  paused = false
  readonly #sink: ResponseSink
  readonly #names: FieldNames
  readonly #limit: number
  readonly #section: Section
  readonly #chunks = new ChunkLines()
  #phase = IDLE
  #bodyless = false
  /** Bytes of the body, or of the chunk, that are to come. */
  #left = 0
  #trailers: ResponseHeaders = {}

  constructor(sink: ResponseSink, names: FieldNames, maxHeaderSize: number) {
    this.#sink = sink
    this.#names = names
    this.#limit = maxHeaderSize
    this.#section = new Section(maxHeaderSize)
  }

  /** Expects a response; `bodyless` if it is that of a HEAD. */
  begin(bodyless: boolean): void {
    this.#phase = HEAD
    this.#bodyless = bodyless
    this.paused = false
  }

  /** Expects nothing any more: whatever comes is left unread. */
  stop(): void {
    this.#phase = IDLE
    if (this.#section.started) this.#section.clear()
  }

  /** @returns where it stopped: at the end, when paused, or behind the response. @throws H1Error */
  read(bytes: Buffer, start: number, end: number): number {
    let at = start
    while (!this.paused) {
      switch (this.#phase) {
        case HEAD:
          at = this.#readHead(bytes, at, end)
          if (at === -1) return end
          break
        case FIXED:
        case CHUNK_DATA: {
          if (at === end) return at
          const from = at
          at += Math.min(this.#left, end - at)
          this.#left -= at - from
          if (this.#left === 0) this.#endData()
          this.#sink.onBody(bytes, from, at)
          break
        }
        case OPEN: {
          if (at === end) return at
          const from = at
          at = end
          this.#sink.onBody(bytes, from, at)
          break
        }
        case CHUNK_LINE:
          at = this.#chunks.read(bytes, at, end)
          if (at === -1) return end
          this.#left = this.#chunks.size
          this.#phase = this.#left === 0 ? TRAILERS : CHUNK_DATA
          break
        case TRAILERS:
          at = this.#readTrailers(bytes, at, end)
          if (at === -1) return end
          break
        case DONE: {
          const trailers = this.#trailers
          this.#phase = IDLE
          this.#sink.onEnd(trailers, at < end)
          return at
        }
        default:
          return at
      }
    }
    return at
  }

  /** The target has ended the connection. @returns whether that was the end of the response */
  finish(): boolean {
    if (this.#phase !== OPEN) return false
    this.#phase = IDLE
    this.#sink.onEnd({}, false)
    return true
  }

  #readHead(bytes: Buffer, start: number, end: number): number {
    const section = this.#section
    let head: ResponseHead
    let at = section.started ? -1 : sectionEnd(bytes, start, end)
    if (at !== -1) {
      if (at - start > this.#limit) throw headersOverflow()
      head = readHead(this.#names, bytes, start, at, this.#bodyless)
    } else {
      at = section.take(bytes, start, end)
      if (!mayBeHead(section.bytes, 0, section.size)) throw malformed('CONSTANT', 'expected HTTP/1.x')
      if (at === -1) return -1
      head = readHead(this.#names, section.bytes, 0, section.size, this.#bodyless)
      section.clear()
    }
    if (head.status >= 200) this.#beginBody(head.left)
    this.#sink.onHead(head)
    return at
  }

  #beginBody(left: number): void {
    this.#trailers = {}
    this.#left = left
    if (left === CHUNKED) {
      this.#phase = CHUNK_LINE
      this.#chunks.reset()
    } else if (left === UNTIL_CLOSE) this.#phase = OPEN
    else this.#phase = left === 0 ? DONE : FIXED
  }

  #endData(): void {
    if (this.#phase === FIXED) {
      this.#phase = DONE
      return
    }
    this.#phase = CHUNK_LINE
    this.#chunks.endData()
  }

  #readTrailers(bytes: Buffer, start: number, end: number): number {
    const section = this.#section
    if (!section.started) {
      if (end - start >= 2 && bytes[start] === 13 && bytes[start + 1] === 10) {
        this.#phase = DONE
        return start + 2
      }
      // So that the section ends with an empty line even if it has no other.
      section.take(LINE_END, 0, 2)
    }
    const at = section.take(bytes, start, end)
    if (at === -1) return -1
    const text = section.bytes.toString('latin1', 0, section.size)
    const trailers = readFields(this.#names, section.bytes, text, 0, 2, section.size - 2)
    section.clear()
    if ('content-length' in trailers || 'transfer-encoding' in trailers) {
      throw malformed('TRAILER', 'framing in a trailer')
    }
    this.#trailers = trailers
    this.#phase = DONE
    return at
  }
}
