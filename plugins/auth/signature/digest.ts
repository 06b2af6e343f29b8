import { fieldLines } from './components.ts'
import { isInnerList, parseDictionary } from './structured-fields.ts'

/** The algorithms of RFC 9530 that are safe to rely on, by Node's names. */
const ALGORITHMS: Readonly<Record<string, 'sha256' | 'sha512'>> = { 'sha-256': 'sha256', 'sha-512': 'sha512' }

export interface WantedDigest {
  readonly algorithm: 'sha256' | 'sha512'
  readonly value: Buffer
}

/**
 * What a body's digests have to be: all that are said in algorithms that are known here.
 * @param signed the algorithms whose values the signature covers
 * @returns why there is none that could be relied on, otherwise
 */
export function wantedDigests(
  rawHeaders: readonly string[],
  signed: ReadonlySet<string> | 'all',
): readonly WantedDigest[] | { readonly why: string } {
  const members = parseDictionary(fieldLines(rawHeaders, 'content-digest').join(', '))
  if (members === undefined) return { why: 'Content-Digest cannot be read' }
  const wanted: WantedDigest[] = []
  let relied = false
  for (const [name, member] of members) {
    const algorithm = Object.hasOwn(ALGORITHMS, name) ? ALGORITHMS[name] : undefined
    if (algorithm === undefined) continue
    if (isInnerList(member) || member.item.type !== 'bytes')
      return { why: `Content-Digest has no bytes for ${name}` }
    wanted.push({ algorithm, value: member.item.value })
    relied ||= signed === 'all' || signed.has(name)
  }
  return relied ? wanted : { why: 'Content-Digest has neither sha-256 nor sha-512 among what is signed' }
}

/** Whether a body has all these digests. */
export function digestsMatch(
  wanted: readonly WantedDigest[],
  body: Buffer,
  digest: (algorithm: 'sha256' | 'sha512', body: Buffer) => Buffer,
): boolean {
  // Of a body that everybody can see: there is no secret in where they differ.
  return wanted.every(({ algorithm, value }) => digest(algorithm, body).equals(value))
}
