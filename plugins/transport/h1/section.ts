import { H1Error, malformed } from './errors.ts'
import { sectionEnd } from './fields.ts'

/** Lines up to an empty one, put together from the pieces in which they come. */
export class Section {
  readonly #limit: number
  #bytes: Buffer = Buffer.alloc(0)
  #size = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get started(): boolean {
    return this.#size > 0
  }

  /** What there is so far. */
  get bytes(): Buffer {
    return this.#bytes
  }

  get size(): number {
    return this.#size
  }

  /**
   * Takes what belongs to the section.
   * @returns where in `bytes` the section ended, or -1 if it goes on; if it ended, `size` is its length
   * @throws H1Error if it is too long, or has a line that ends otherwise than with CR LF
   */
  take(bytes: Buffer, start: number, end: number): number {
    const before = this.#size
    const taken = Math.min(end - start, this.#limit + 1 - before)
    this.#reserve(before + taken)
    bytes.copy(this.#bytes, before, start, start + taken)
    this.#size += taken
    const stop = sectionEnd(this.#bytes, Math.max(0, before - 3), this.#size)
    // One that never ends because its line ends are bare must not be waited for.
    this.#checkLines(before, stop === -1 ? this.#size : stop)
    if (stop === -1) {
      if (this.#size > this.#limit) throw headersOverflow()
      return -1
    }
    if (stop > this.#limit) throw headersOverflow()
    this.#size = stop
    return start + stop - before
  }

  clear(): void {
    this.#size = 0
    this.#bytes = Buffer.alloc(0)
  }

  #checkLines(from: number, to: number): void {
    const bytes = this.#bytes
    for (let i = from; i < to; i++) {
      if (bytes[i] === 10 && bytes[i - 1] !== 13) throw malformed('LINE_END', 'a bare LF')
    }
  }

  #reserve(size: number): void {
    if (size <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.min(this.#limit + 1, Math.max(size, 2 * this.#bytes.length, 1024)))
    this.#bytes.copy(larger, 0, 0, this.#size)
    this.#bytes = larger
  }
}

export function headersOverflow(): H1Error {
  return new H1Error('UND_ERR_HEADERS_OVERFLOW', 'Headers Overflow Error')
}
