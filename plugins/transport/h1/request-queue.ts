import type { H1Request } from './request.ts'

/** Requests that wait, in their order. */
export class RequestQueue {
  size = 0
  #first: H1Request | undefined
  #last: H1Request | undefined

  push(request: H1Request): void {
    if (this.#last === undefined) this.#first = request
    else this.#last.next = request
    this.#last = request
    this.size++
  }

  shift(): H1Request | undefined {
    const request = this.#first
    if (request === undefined) return undefined
    this.#first = request.next
    if (this.#first === undefined) this.#last = undefined
    request.next = undefined
    this.size--
    return request
  }

  /** Fails those that wait now; a handler may well dispatch again when it hears of it. */
  fail(error: Error): void {
    for (let count = this.size; count > 0; count--) this.shift()?.fail(error)
  }
}
