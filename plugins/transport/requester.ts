/** Where reply-from's copy of the headers carries the exchange. */
export const EXCHANGE = Symbol('holdfast.exchange')
/** What reply-from takes for the upstream: the real one is chosen attempt by attempt. */
export const PLACEHOLDER = 'http://upstream.invalid'

export type Callback = (error: Error | null, response?: unknown) => void

interface Options {
  readonly headers: { readonly [EXCHANGE]?: { run(callback: Callback): void } }
}

/** What reply-from takes for an undici instance, since it has a `request`: here the exchange runs. */
export const requester = {
  request({ headers }: Options, callback: Callback): void {
    headers[EXCHANGE]?.run(callback)
  },
}
