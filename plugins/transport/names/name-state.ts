import { ADDRESS_CHANGED } from '../../upstreams/events.ts'

/** One of the addresses that a name has. */
export interface Address {
  readonly address: string
  readonly family: 4 | 6
}

type LookupError = Error & { readonly code?: string | undefined }
/** What a look-up has come to. */
export type Answer = (error: LookupError | null, addresses: readonly Address[]) => void
/** `error`: why there is no address. */
export type Resolved = (error: Error | undefined, addresses: readonly Address[]) => void

/** What operators want to know of a name; told when it turns. */
export interface NameEvent {
  readonly name: 'name-unresolved' | 'name-resolved' | typeof ADDRESS_CHANGED
  readonly why: string
  readonly level: 'info' | 'warn'
}

/** So long the last addresses of a name are kept that does not exist any more, as HAProxy has it (`hold nx`). */
export const HOLD_MISSING_MS = 30_000
/** The name does not exist, or has no address: a word of the resolver's. All else is a resolver that cannot say. */
const MISSING = 'ENOTFOUND'

/** What is known of one name. */
export class NameState {
  readonly name: string
  /** How many want it kept. */
  holders = 0
  /** The last ones known; none if there never were any, or the name is gone for good. */
  addresses: readonly Address[] = []
  /** Why the last look-up has failed, or is as good as failed; undefined while all is well. */
  error: LookupError | undefined
  /** In a row. */
  failures = 0
  /** The look-up under way takes long. */
  isSlow = false
  /** Monotonic milliseconds: when the addresses were last confirmed. */
  foundAt: number | undefined
  readonly counts = { found: 0, failed: 0 }
  /** Those who connect and have no address yet. */
  waiting: Resolved[] = []
  /** Ends the wait that is under way. */
  callOff: () => void = () => {}
  readonly #turned: (event: NameEvent) => void
  #missingSince: number | undefined
  #turn = 0

  constructor(name: string, turned: (event: NameEvent) => void) {
    this.name = name
    this.#turned = turned
  }

  /** Its look-ups may hold up those of others. */
  get suspect(): boolean {
    return this.isSlow || this.failures > 0
  }

  /**
   * Each time another one goes first, of those of the family that the system prefers (RFC 6724); the rest is there to
   * fall back on.
   */
  inTurn(): readonly Address[] {
    const { addresses } = this
    if (addresses.length === 1) return addresses
    const preferred = addresses.filter(({ family }) => family === addresses[0]?.family)
    const first = this.#turn++ % preferred.length
    return [
      ...preferred.slice(first),
      ...preferred.slice(0, first),
      ...addresses.filter(({ family }) => family !== addresses[0]?.family),
    ]
  }

  /** @returns the addresses that it has from now on */
  found(addresses: readonly Address[], now: number): ReadonlySet<string> {
    const [before, after] = [setOf(this.addresses), setOf(addresses)]
    const wasLost = this.error !== undefined
    this.counts.found++
    this.addresses = addresses
    this.foundAt = now
    this.error = undefined
    this.failures = 0
    this.#missingSince = undefined
    for (const resolved of this.waiting.splice(0)) resolved(undefined, this.inTurn())
    if (wasLost) this.#tell('name-resolved', 'info', `is found again, at ${listOf(after)}`)
    if (before.size > 0 && (before.size !== after.size || !before.isSubsetOf(after)))
      this.#tell(ADDRESS_CHANGED, 'info', `is at ${listOf(after)} now; it was at ${listOf(before)}`)
    return after
  }

  /** @returns undefined if it keeps the addresses that it has */
  failed(error: LookupError, now: number): ReadonlySet<string> | undefined {
    this.counts.failed++
    this.failures++
    this.#lost(error)
    this.#missingSince = error.code === MISSING ? (this.#missingSince ?? now) : undefined
    const gone = this.#missingSince !== undefined && now - this.#missingSince >= HOLD_MISSING_MS
    if (!gone || this.addresses.length === 0) return undefined
    const last = listOf(setOf(this.addresses))
    this.addresses = []
    this.#tell(
      'address-changed',
      'warn',
      `has had no address for too long; its last, ${last}, no longer count`,
    )
    return new Set()
  }

  /** Nobody waits any more for the look-up that is under way. */
  slow(afterMs: number): void {
    this.isSlow = true
    if (this.addresses.length > 0) return
    this.#lost(
      Object.assign(new Error(`the resolver did not answer within ${afterMs} ms`), { code: 'ETIMEOUT' }),
    )
  }

  #lost(error: LookupError): void {
    const isNews = this.error === undefined
    this.error = error
    for (const resolved of this.waiting.splice(0)) resolved(error, [])
    if (!isNews) return
    const kept =
      this.addresses.length === 0
        ? 'it has no address'
        : `its last addresses are kept: ${listOf(setOf(this.addresses))}`
    this.#tell('name-unresolved', 'warn', `cannot be looked up (${error.code ?? error.message}); ${kept}`)
  }

  #tell(name: NameEvent['name'], level: NameEvent['level'], why: string): void {
    this.#turned({ name, level, why: `${this.name} ${why}` })
  }
}

function setOf(addresses: readonly Address[]): ReadonlySet<string> {
  return new Set(addresses.map(({ address }) => address))
}

function listOf(addresses: ReadonlySet<string>): string {
  return [...addresses].join(', ')
}
