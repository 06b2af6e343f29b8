/** Whether an endpoint is asked: not while it has failed several times in a row, but for one question now and then. */
export class Circuit {
  #inARow = 0
  #openUntil = 0
  #trying = false
  readonly #failures: number
  readonly #openForMs: number

  constructor(failures: number, openForMs: number) {
    this.#failures = failures
    this.#openForMs = openForMs
  }

  get open(): boolean {
    return this.#inARow >= this.#failures
  }

  /** Whether a question may be asked at `now`; if so, `succeeded` or `failed` has to be said of it. */
  admits(now: number): boolean {
    if (!this.open) return true
    if (this.#trying || now < this.#openUntil) return false
    this.#trying = true
    return true
  }

  succeeded(): void {
    this.#inARow = 0
    this.#trying = false
  }

  failed(now: number): void {
    this.#inARow++
    this.#trying = false
    if (this.open) this.#openUntil = now + this.#openForMs
  }
}
