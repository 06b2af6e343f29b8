/**
 * Tells when files have been changed and nobody is at it any more. A certificate and its key are seldom written in one
 * step: read in between, they would not belong together.
 */
export class FileChanges {
  #settled: string
  #last: string

  /** @param stamp anything that is another once a file has changed */
  constructor(stamp: string) {
    this.#settled = stamp
    this.#last = stamp
  }

  /** @returns whether they have changed since it last said so, and have been as they are for two looks */
  look(stamp: string): boolean {
    const still = stamp === this.#last
    this.#last = stamp
    if (!still || stamp === this.#settled) return false
    this.#settled = stamp
    return true
  }
}
