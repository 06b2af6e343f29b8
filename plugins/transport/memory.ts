/** Bytes that bodies held whole may take together: requests kept for another attempt, and answers being gathered. */
export class Memory {
  /** Bytes. */
  readonly size: number
  #left: number

  constructor(bytes: number) {
    this.size = bytes
    this.#left = bytes
  }

  /** Bytes that are taken. */
  get used(): number {
    return this.size - this.#left
  }

  /** @returns false, and takes nothing, if so much is not left */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false
    this.#left -= bytes
    return true
  }

  giveBack(bytes: number): void {
    this.#left += bytes
  }
}
