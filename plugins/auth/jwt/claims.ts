import { claimAt } from '../../upstreams/identity.ts'

type Claims = Readonly<Record<string, unknown>>

/** What a token's claims are held to. Times in milliseconds. */
export interface ClaimRules {
  readonly issuer: string
  /** False: whoever it is for. */
  readonly audience: readonly string[] | false
  readonly leeway: number
  readonly maxAge: number | undefined
  /** In lower case, without "application/". */
  readonly typ: string | undefined
  readonly required: readonly string[]
  readonly subject: string
}

/** Why claims are refused. `expired` is told to the caller, who can do something about it. */
export interface BadClaims {
  readonly why: string
  readonly expired: boolean
}

/** When a token is good, in milliseconds since 1970 with the leeway in it, and what revocations go by. */
export interface Validity {
  readonly subject: string
  readonly jti: string | undefined
  /** When it was issued at the earliest: the issuer's clock may be ahead by the leeway. */
  readonly issuedAt: number | undefined
  readonly from: number
  readonly until: number
}

function bad(why: string, expired = false): BadClaims {
  return { why, expired }
}

/** NumericDate (RFC 7519, 2) in milliseconds; undefined if it is not there, NaN if it is none. */
function dateAt(claims: Claims, name: string): number | undefined {
  if (!Object.hasOwn(claims, name)) return undefined
  const value = claims[name]
  return typeof value === 'number' && value >= 0 && Number.isFinite(value * 1000) ? value * 1000 : Number.NaN
}

function typProblem(typ: string | undefined, wanted: string | undefined): string | undefined {
  if (wanted === undefined) return undefined
  // RFC 7515, 4.1.9: media types, in which letters have no case, and "application/" may be left out.
  const said = typ?.toLowerCase().replace(/^application\//, '')
  return said === wanted ? undefined : `typ is not ${wanted}`
}

function audienceProblem(claims: Claims, wanted: ClaimRules['audience']): string | undefined {
  if (wanted === false) return undefined
  if (!Object.hasOwn(claims, 'aud')) return 'aud is missing'
  const { aud } = claims
  const named = Array.isArray(aud) ? aud : [aud]
  if (!named.every((one) => typeof one === 'string')) return 'aud is not text or a list of texts'
  return named.some((one) => wanted.includes(one)) ? undefined : 'aud names somebody else'
}

/**
 * Holds a token's claims to RFC 7519, 4.1, and more: `iss`, `aud` (unless the rules do without) and `exp` have to be
 * there, and the subject.
 * @param date milliseconds since 1970
 */
export function checkClaims(
  claims: Claims,
  typ: string | undefined,
  rules: ClaimRules,
  date: number,
): Validity | BadClaims {
  if (!Object.hasOwn(claims, 'iss') || claims['iss'] !== rules.issuer) return bad('iss is another one')
  const wrong = typProblem(typ, rules.typ) ?? audienceProblem(claims, rules.audience)
  if (wrong !== undefined) return bad(wrong)
  const missing = rules.required.find((name) => !Object.hasOwn(claims, name))
  if (missing !== undefined) return bad(`${missing} is missing`)
  const jti = Object.hasOwn(claims, 'jti') ? claims['jti'] : undefined
  if (jti !== undefined && typeof jti !== 'string') return bad('jti is no text')
  const subject = claimAt(claims, rules.subject)
  if (typeof subject !== 'string' || subject === '') return bad(`${rules.subject} is missing or no text`)

  const exp = dateAt(claims, 'exp')
  const nbf = dateAt(claims, 'nbf')
  const iat = dateAt(claims, 'iat')
  if (exp === undefined) return bad('exp is missing')
  if (Number.isNaN(exp) || Number.isNaN(nbf) || Number.isNaN(iat)) return bad('exp, nbf or iat is no date')
  if (rules.maxAge !== undefined && iat === undefined) return bad('iat is missing')
  const oldest = rules.maxAge === undefined ? Number.POSITIVE_INFINITY : (iat as number) + rules.maxAge
  const from = Math.max(nbf ?? 0, iat ?? 0) - rules.leeway
  const until = Math.min(exp, oldest) + rules.leeway
  if (date < from) return bad('is not valid yet')
  // RFC 7519, 4.1.4: not on the moment of `exp` any more.
  if (date >= until) return bad('has expired', true)
  const issuedAt = iat === undefined ? undefined : iat - rules.leeway
  return { subject, jti, issuedAt, from, until }
}
