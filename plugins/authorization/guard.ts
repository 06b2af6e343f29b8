import { GatewayError, unauthenticated } from '../upstreams/errors.ts'
import { type Authorizer, Denied, type Verdict } from './authorizer.ts'
import { forbidden } from './errors.ts'

type Request = Parameters<Authorizer>[0]
type Reply = Parameters<Authorizer>[1]

export interface NamedAuthorizer {
  /** For the log. */
  readonly name: string
  readonly authorize: Authorizer
}

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
  readonly #authorizers: readonly NamedAuthorizer[]
  readonly #challenge: string | undefined
  readonly #broken: (error: unknown) => void

  /**
   * @param challenge what callers of whom nobody knows who they are are asked for; undefined where nobody asks
   * @param broken hears of authorizers that threw
   */
  constructor(
    authorizers: readonly NamedAuthorizer[],
    challenge: string | undefined,
    broken: (error: unknown) => void,
  ) {
    this.#authorizers = authorizers
    this.#challenge = challenge
    this.#broken = broken
  }

  /** Throws or rejects with a `GatewayError` to refuse, unless the authorizer that refuses has answered by itself. */
  check(request: Request, reply: Reply, from = 0): void | Promise<void> {
    for (let i = from; i < this.#authorizers.length; i++) {
      const { name, authorize } = this.#authorizers[i] as NamedAuthorizer
      let verdict: Verdict | Promise<Verdict>
      try {
        verdict = authorize(request, reply)
      } catch (error) {
        throw this.#failed(error)
      }
      if (verdict === true) continue
      // Of a stranger's authorizer it may be anything that can be waited for.
      if (typeof (verdict as Promise<Verdict> | undefined)?.then !== 'function')
        return this.#refuse(request, reply, verdict as Verdict, name)
      return (verdict as Promise<Verdict>).then(
        (settled) => {
          if (settled !== true) return this.#refuse(request, reply, settled, name)
          return this.check(request, reply, i + 1)
        },
        (error) => {
          throw this.#failed(error)
        },
      )
    }
    this.tally.allowed++
  }

  #refuse({ identity }: Request, { sent }: Reply, verdict: Verdict, name: string): void {
    if (verdict instanceof GatewayError) {
      if (verdict.source === 'client') this.tally.denied++
      else this.tally.failed++
      throw verdict
    }
    this.tally.denied++
    if (sent) return
    const cause = { message: verdict instanceof Denied ? verdict.why : `${name} did not say yes` }
    throw identity === null && this.#challenge !== undefined
      ? unauthenticated(this.#challenge, cause)
      : forbidden(undefined, cause)
  }

  #failed(error: unknown): GatewayError {
    this.tally.failed++
    this.#broken(error)
    return forbidden(undefined, error)
  }
}
