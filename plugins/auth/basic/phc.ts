/** Hashes of passwords as text: the PHC string format, `$scrypt$ln=14,r=8,p=5$salt$hash`. */

/** Costs of scrypt (RFC 7914). */
export interface ScryptCost {
  /** log2 of N, the cost in time and memory. */
  readonly ln: number
  /** Size of a block. */
  readonly r: number
  /** How often it is all done. */
  readonly p: number
}

export interface PasswordHash extends ScryptCost {
  /** Base64 without padding, both. */
  readonly salt: string
  readonly hash: string
}

/** 16 MiB and p of 5: one of the choices that OWASP's Password Storage Cheat Sheet holds for equal. */
export const DEFAULT_COST: ScryptCost = { ln: 14, r: 8, p: 5 }

/** Beyond this a single request would cost the gateway too much. */
const MOST_MEMORY = 128 * 1024 * 1024

const PHC = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/

export function parsePasswordHash(text: string): PasswordHash | undefined {
  const match = PHC.exec(text)
  if (match === null) return undefined
  const [, ln, r, p, salt = '', hash = ''] = match
  return { ln: Number(ln), r: Number(r), p: Number(p), salt, hash }
}

export function formatPasswordHash({ ln, r, p, salt, hash }: PasswordHash): string {
  return `$scrypt$ln=${ln},r=${r},p=${p}$${salt}$${hash}`
}

/** Bytes that hashing with this cost takes. */
export function scryptMemory({ ln, r, p }: ScryptCost): number {
  return 128 * r * (2 ** ln + p)
}

/** Why such a hash cannot be used, or undefined. */
export function passwordHashProblem(hash: PasswordHash | undefined): string | undefined {
  if (hash === undefined) return 'is no scrypt hash in PHC form'
  const { ln, r, p } = hash
  if (r < 1 || p < 1 || p > 16) return 'has costs that scrypt does not know or the gateway does not take'
  if (ln < 10) return 'is so cheap (ln below 10) that passwords could be guessed from it'
  if (scryptMemory(hash) > MOST_MEMORY) return 'takes more than 128 MiB for each password'
  return undefined
}
