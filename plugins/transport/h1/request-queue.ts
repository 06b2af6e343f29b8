import type { H1Request } from './request.ts'

/** Requests that wait, in their order. */
export class RequestQueue {
  size = 0
  #first: H1Request | undefined
  #last: H1Request | undefined

  push(request: H1Request): void {
    request.queue = this
    request.before = this.#last
    if (this.#last === undefined) this.#first = request
    else this.#last.next = request
    this.#last = request
    this.size++
  }

  /** Takes out one that waits no longer. */
  remove(request: H1Request): void {
    if (request.queue !== this) return
    if (request.before === undefined) this.#first = request.next
    else request.before.next = request.next
    if (request.next === undefined) this.#last = request.before
    else request.next.before = request.before
    request.before = undefined
    request.next = undefined
    request.queue = undefined
    this.size--
  }

  shift(): H1Request | undefined {
    const request = this.#first
    if (request !== undefined) this.remove(request)
    return request
  }

  /** Fails those that wait now; a handler may well dispatch again when it hears of it. */
  fail(error: Error): void {
    for (let count = this.size; count > 0; count--) this.shift()?.fail(error)
  }
}
