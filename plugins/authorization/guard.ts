import { GatewayError, unauthenticated } from '../upstreams/errors.ts'
import type { Authorizer, Verdict } from './authorizer.ts'
import { forbidden } from './errors.ts'

type Request = Parameters<Authorizer>[0]
type Reply = Parameters<Authorizer>[1]

/** What became of a route's requests. Grows only. */
export interface Tally {
  allowed: number
  denied: number
  /** Denied because it could not be decided: something that decides is broken or down. */
  failed: number
}

/** Asks the authorizers of one route, one after another, until one refuses. */
export class RouteAuthorization {
  readonly tally: Tally = { allowed: 0, denied: 0, failed: 0 }
  readonly #authorizers: readonly Authorizer[]
  readonly #challenge: string | undefined
  readonly #broken: (error: unknown) => void

  /**
   * @param challenge what callers of whom nobody knows who they are are asked for; undefined where nobody asks
   * @param broken hears of authorizers that threw
   */
  constructor(
    authorizers: readonly Authorizer[],
    challenge: string | undefined,
    broken: (error: unknown) => void,
  ) {
    this.#authorizers = authorizers
    this.#challenge = challenge
    this.#broken = broken
  }

  /** Throws or rejects with a `GatewayError` to refuse. */
  check(request: Request, reply: Reply, from = 0): void | Promise<void> {
    for (let i = from; i < this.#authorizers.length; i++) {
      let verdict: Verdict | Promise<Verdict>
      try {
        verdict = (this.#authorizers[i] as Authorizer)(request, reply)
      } catch (error) {
        throw this.#failed(error)
      }
      if (verdict === true) continue
      // Of a stranger's authorizer it may be anything that can be waited for.
      if (typeof (verdict as Promise<Verdict> | undefined)?.then !== 'function')
        throw this.#refusal(request, verdict as Verdict)
      return (verdict as Promise<Verdict>).then(
        (settled) => {
          if (settled !== true) throw this.#refusal(request, settled)
          return this.check(request, reply, i + 1)
        },
        (error) => {
          throw this.#failed(error)
        },
      )
    }
    this.tally.allowed++
  }

  #refusal({ identity }: Request, verdict: Verdict): GatewayError {
    if (verdict instanceof GatewayError) {
      if (verdict.source === 'client') this.tally.denied++
      else this.tally.failed++
      return verdict
    }
    this.tally.denied++
    return identity === null && this.#challenge !== undefined ? unauthenticated(this.#challenge) : forbidden()
  }

  #failed(error: unknown): GatewayError {
    this.tally.failed++
    this.#broken(error)
    return forbidden(undefined, error)
  }
}
