import { messageOf } from '../config/messages.ts'
import { unauthenticated } from '../upstreams/errors.ts'
import type { Identity } from '../upstreams/identity.ts'
import { type Authenticator, Refusal, type Verdict } from './authenticator.ts'
import { joinChallenges } from './challenges.ts'
import { malformed, refused, unavailable } from './errors.ts'

type Request = Parameters<Authenticator['authenticate']>[0]

/** How a kind has decided on a route's requests. Grows only. */
export interface Tally {
  accepted: number
  refused: number
  unavailable: number
}

/** A kind that a route accepts. */
export interface Accepted {
  readonly kind: string
  readonly authenticator: Authenticator
  readonly tally: Tally
}

/** Requests that brought nothing: turned away, or let through where the route says so. */
export interface WithoutCredential {
  missing: number
  anonymous: number
}

/** What was found while one kind after another was asked. Made with the first thing that is wrong only. */
class Findings {
  readonly refusals: (Refusal | undefined)[] = []
  first: number | undefined
  down: number | undefined
  why = ''
}

function isIdentity(verdict: unknown): verdict is Identity {
  const id = (verdict as Identity | null)?.id
  return typeof id === 'string' && id !== ''
}

/** Finds out who the requests of one route come from, or refuses them. */
export class RouteAuthentication {
  readonly #accepted: readonly Accepted[]
  readonly #preparing: readonly Authenticator[]
  readonly #optional: boolean
  readonly #without: WithoutCredential
  readonly #failed: (kind: string, error: unknown) => void

  /** @param failed hears of authenticators that could not tell */
  constructor(
    accepted: readonly Accepted[],
    optional: boolean,
    without: WithoutCredential,
    failed: (kind: string, error: unknown) => void,
  ) {
    this.#accepted = accepted
    this.#preparing = accepted.flatMap(({ authenticator }) =>
      authenticator.prepare === undefined ? [] : [authenticator],
    )
    this.#optional = optional
    this.#without = without
    this.#failed = failed
  }

  /** Throws or rejects with a `GatewayError` to refuse. Without a promise where no kind that is asked needs one. */
  check(request: Request): void | Promise<void> {
    for (const authenticator of this.#preparing) authenticator.prepare?.(request)
    return this.#ask(request, 0, undefined)
  }

  #ask(request: Request, from: number, found: Findings | undefined): void | Promise<void> {
    let findings = found
    for (let i = from; i < this.#accepted.length; i++) {
      let verdict: Verdict | Promise<Verdict>
      try {
        verdict = (this.#accepted[i] as Accepted).authenticator.authenticate(request)
      } catch (error) {
        findings = this.#down(i, error, findings)
        continue
      }
      if (typeof (verdict as Promise<Verdict> | undefined)?.then === 'function') {
        return (verdict as Promise<Verdict>).then(
          (settled) => this.#after(request, i, this.#take(request, i, settled, findings), findings),
          (error) => this.#ask(request, i + 1, this.#down(i, error, findings)),
        )
      }
      const taken = this.#take(request, i, verdict as Verdict, findings)
      if (taken === true) return
      findings = taken
    }
    this.#refuse(findings)
  }

  #after(
    request: Request,
    i: number,
    taken: Findings | undefined | true,
    before: Findings | undefined,
  ): void | Promise<void> {
    if (taken !== true) return this.#ask(request, i + 1, taken ?? before)
  }

  /** True if the caller is known now; else what has been found so far. */
  #take(
    request: Request,
    i: number,
    verdict: Verdict,
    found: Findings | undefined,
  ): Findings | undefined | true {
    if (verdict === undefined) return found
    const accepted = this.#accepted[i] as Accepted
    if (verdict instanceof Refusal) {
      const findings = found ?? new Findings()
      findings.refusals[i] = verdict
      findings.first ??= i
      return findings
    }
    // What an authenticator of somebody else's returns may be anything: only an identity opens the door.
    if (!isIdentity(verdict)) return this.#down(i, new TypeError('returned what is no identity'), found)
    request.identity = verdict
    accepted.tally.accepted++
    return true
  }

  #down(i: number, error: unknown, found: Findings | undefined): Findings {
    const findings = found ?? new Findings()
    findings.down ??= i
    const { kind } = this.#accepted[i] as Accepted
    if (findings.down === i) findings.why = `${kind}: ${messageOf(error)}`
    this.#failed(kind, error)
    return findings
  }

  #refuse(findings: Findings | undefined): void {
    if (findings === undefined) {
      if (this.#optional) {
        this.#without.anonymous++
        return
      }
      this.#without.missing++
      throw unauthenticated(this.#challenges([]))
    }
    if (findings.down !== undefined) {
      // Before any refusal: the credential that could not be looked at may be the good one.
      ;(this.#accepted[findings.down] as Accepted).tally.unavailable++
      throw unavailable(findings.why)
    }
    const { refusals } = findings
    // A credential that was looked at and found bad says more than one that could not even be read.
    const badly = refusals.findIndex((refusal) => refusal?.error === 'invalid_token')
    const at = badly === -1 ? (findings.first as number) : badly
    const { kind, tally } = this.#accepted[at] as Accepted
    const { told, why } = refusals[at] as Refusal
    tally.refused++
    const refuse = badly === -1 ? malformed : refused
    throw refuse(this.#challenges(refusals), told, `${kind}: ${why}`)
  }

  #challenges(refusals: readonly (Refusal | undefined)[]): string {
    const challenges = this.#accepted.flatMap(({ authenticator }, i) => {
      const refusal = refusals[i]
      const text = authenticator.challenge(refusal)
      return text === undefined ? [] : [{ text, refusing: refusal !== undefined }]
    })
    // RFC 9110, 15.5.2, wants a challenge with every 401: where no kind has one, its own name says what is missing.
    if (challenges.length === 0) return (this.#accepted[0] as Accepted).kind
    return joinChallenges(challenges)
  }
}
