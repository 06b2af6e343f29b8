/** A token, or all of a caller's tokens up to a time, that are refused before they expire. Times in milliseconds since 1970. */
export interface Revocation {
  readonly issuer: string
  readonly kind: 'jti' | 'subject'
  readonly value: string
  /** Tokens of the subject that were issued up to then are refused, and those that do not say when. */
  readonly before: number
  /** When it may be forgotten, because what it concerns has expired by then; undefined is never. */
  readonly until: number | undefined
}

/** The same for what revokes the same, so that a second one replaces the first. */
export function idOf({ issuer, kind, value }: Pick<Revocation, 'issuer' | 'kind' | 'value'>): string {
  return Buffer.from(JSON.stringify([issuer, kind, value])).toString('base64url')
}

function namedBy(id: string): Pick<Revocation, 'issuer' | 'kind' | 'value'> | undefined {
  try {
    const [issuer, kind, value] = JSON.parse(Buffer.from(id, 'base64url').toString())
    return typeof issuer === 'string' && (kind === 'jti' || kind === 'subject')
      ? { issuer, kind, value }
      : undefined
  } catch {
    return undefined
  }
}

/** Of two that revoke the same, what refuses all that either does; the second one itself if that is it. */
export function stricter(one: Revocation, other: Revocation): Revocation {
  const before = Math.max(one.before, other.before)
  const until =
    one.until === undefined || other.until === undefined ? undefined : Math.max(one.until, other.until)
  return before === other.before && until === other.until ? other : { ...other, before, until }
}

/** What is revoked of one issuer's tokens. */
export class IssuerRevocations {
  readonly jtis = new Map<string, Revocation>()
  readonly subjects = new Map<string, Revocation>()

  /** @param issuedAt milliseconds since 1970, at the earliest */
  has(jti: string | undefined, subject: string, issuedAt: number | undefined): boolean {
    if (jti !== undefined && this.jtis.has(jti)) return true
    const revocation = this.subjects.get(subject)
    return revocation !== undefined && (issuedAt === undefined || issuedAt <= revocation.before)
  }
}

/** All revocations that are known here. Asked synchronously for every request with a token. */
export class RevocationList {
  readonly #max: number
  readonly #byIssuer = new Map<string, IssuerRevocations>()

  /** @param max how many there may be */
  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    let size = 0
    for (const { jtis, subjects } of this.#byIssuer.values()) size += jtis.size + subjects.size
    return size
  }

  of(issuer: string): IssuerRevocations {
    const known = this.#byIssuer.get(issuer)
    if (known !== undefined) return known
    const fresh = new IssuerRevocations()
    this.#byIssuer.set(issuer, fresh)
    return fresh
  }

  #map({ issuer, kind }: Pick<Revocation, 'issuer' | 'kind'>): Map<string, Revocation> {
    const { jtis, subjects } = this.of(issuer)
    return kind === 'jti' ? jtis : subjects
  }

  /** Whether one more, or this one again, fits in. */
  takes(revocation: Revocation): boolean {
    return this.size < this.#max || this.#map(revocation).has(revocation.value)
  }

  add(revocation: Revocation): void {
    this.#map(revocation).set(revocation.value, revocation)
  }

  /** Whether there was one of this id. */
  remove(id: string): boolean {
    const named = namedBy(id)
    return named !== undefined && this.#map(named).delete(named.value)
  }

  all(): Revocation[] {
    return [...this.#byIssuer.values()].flatMap(({ jtis, subjects }) => [
      ...jtis.values(),
      ...subjects.values(),
    ])
  }

  replace(all: readonly Revocation[]): void {
    for (const { jtis, subjects } of this.#byIssuer.values()) {
      jtis.clear()
      subjects.clear()
    }
    for (const one of all) this.add(one)
  }

  /** What concerned tokens that had expired by then. */
  over(date: number): Revocation[] {
    const over: Revocation[] = []
    for (const { jtis, subjects } of this.#byIssuer.values()) {
      for (const map of [jtis, subjects]) {
        for (const one of map.values()) if (one.until !== undefined && one.until <= date) over.push(one)
      }
    }
    return over
  }

  forget(revocations: readonly Revocation[]): void {
    for (const one of revocations) this.#map(one).delete(one.value)
  }
}
