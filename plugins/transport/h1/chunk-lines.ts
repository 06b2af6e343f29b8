import { HEX, TEXT } from './characters.ts'
import { malformed } from './errors.ts'

/** Sizes of up to 2^48 bytes; more digits can only be meant to overflow someone's arithmetic. */
const MOST_DIGITS = 12
/** Bytes of chunk extensions in one response; nobody uses them, and they must not be a way to send for ever. */
const MOST_EXTENSIONS = 16 * 1024

const DIGITS = 0
const EXTENSION = 1
const SIZE_LF = 2
const DATA_CR = 3
const DATA_LF = 4

/** Reads what stands between the data of two chunks: the line end of the one and the size line of the other. */
export class ChunkLines {
  /** Of the chunk whose size line was read last. */
  size = 0
  #state = DIGITS
  #digits = 0
  #extensions = 0

  /** To be called before a body's first chunk. */
  reset(): void {
    this.#extensions = 0
    this.#next(DIGITS)
  }

  /** To be called once the data of a chunk is read. */
  endData(): void {
    this.#next(DATA_CR)
  }

  #next(state: number): void {
    this.size = 0
    this.#digits = 0
    this.#state = state
  }

  /** @returns the position behind the size line, or -1 if it is not whole yet */
  read(bytes: Uint8Array, start: number, end: number): number {
    for (let at = start; at < end; at++) {
      const byte = bytes[at] as number
      switch (this.#state) {
        case DIGITS: {
          const digit = HEX[byte] as number
          if (digit >= 0) {
            if (++this.#digits > MOST_DIGITS) throw malformed('CHUNK_SIZE', 'chunk size too large')
            this.size = this.size * 16 + digit
          } else if (this.#digits > 0 && byte === 13) this.#state = SIZE_LF
          else if (this.#digits > 0 && byte === 59) this.#state = EXTENSION
          else throw malformed('CHUNK_SIZE', 'invalid chunk size')
          break
        }
        case EXTENSION:
          if (byte === 13) this.#state = SIZE_LF
          else if (TEXT[byte] !== 1) throw malformed('CHUNK_EXTENSION', 'invalid chunk extension')
          else if (++this.#extensions > MOST_EXTENSIONS) {
            throw malformed('CHUNK_EXTENSION', 'chunk extensions too long')
          }
          break
        case SIZE_LF:
          if (byte !== 10) throw malformed('CHUNK_SIZE', 'expected LF after the chunk size')
          return at + 1
        case DATA_CR:
          if (byte !== 13) throw malformed('CHUNK_DATA', 'expected CR LF after the chunk')
          this.#state = DATA_LF
          break
        default:
          if (byte !== 10) throw malformed('CHUNK_DATA', 'expected CR LF after the chunk')
          this.#state = DIGITS
      }
    }
    return -1
  }
}
