/** What a session's cookie says: `id.expires.nonce.signature`. */

/** Characters of a target's id in cookies: 96 bits in base64url. */
export const ID_LENGTH = 16

/** Secrets at work; the first one signs, all verify. */
export interface Signer {
  /** In base64url. */
  sign(text: string): string
  /** Takes as long whether it is right or wrong. */
  verify(text: string, signature: string): boolean
  /** What stands for a server in cookies: by secret, the first one first. Tells nothing of the server. */
  idsOf(origin: string): readonly string[]
}

export interface Token {
  readonly id: string
  /** Unix time in seconds; 0 if it has no end of its own. */
  readonly expiresAt: number
  /** Tells sessions at one target apart: 48 bits in base64url. */
  readonly nonce: string
}

const FORM = /^([\w-]{16})\.([0-9a-z]{1,9})\.([\w-]{8})\.([\w-]{43})$/

export function writeToken({ id, expiresAt, nonce }: Token, signer: Signer): string {
  const said = `${id}.${expiresAt.toString(36)}.${nonce}`
  return `${said}.${signer.sign(said)}`
}

/** The token if it is ours and holds now (Unix time in seconds). */
export function readToken(text: string, signer: Signer, now: number): Token | undefined {
  const [, id = '', expires = '', nonce = '', signature = ''] = FORM.exec(text) ?? []
  if (signature === '' || !signer.verify(`${id}.${expires}.${nonce}`, signature)) return undefined
  const expiresAt = Number.parseInt(expires, 36)
  return expiresAt === 0 || expiresAt > now ? { id, expiresAt, nonce } : undefined
}
