import { isAscii } from 'node:buffer'
import type { Memory } from './memory.ts'

/** The pieces of an answer that is not passed on before it is whole. */
export class Gathered {
  readonly #memory: Memory
  readonly #limit: number
  #chunks: Buffer[] = []
  #size = 0

  /** @param limit bytes */
  constructor(memory: Memory, limit: number) {
    this.#memory = memory
    this.#limit = limit
  }

  get empty(): boolean {
    return this.#chunks.length === 0
  }

  /** @returns false once it holds more than it may */
  push(chunk: Buffer): boolean {
    this.#chunks.push(chunk)
    if (!this.#memory.take(chunk.length)) return false
    this.#size += chunk.length
    return this.#size <= this.#limit
  }

  /** Hands over what there is and forgets it. */
  release(): Buffer[] {
    const chunks = this.#chunks
    this.#chunks = []
    this.#memory.giveBack(this.#size)
    this.#size = 0
    return chunks
  }

  /** All of it, as text where that makes no difference: head and body then leave in one write. */
  whole(): Buffer | string | null {
    const chunks = this.release()
    if (chunks.length === 0) return null
    const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
    return isAscii(body) ? body.toString('latin1') : body
  }
}
