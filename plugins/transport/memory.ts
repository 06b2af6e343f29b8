/** Bytes that bodies held whole may take together: requests kept for another attempt, and answers being gathered. */
export class Memory {
  #left: number

  constructor(bytes: number) {
    this.#left = bytes
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
