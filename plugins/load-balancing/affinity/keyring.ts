import { createHmac, timingSafeEqual } from 'node:crypto'
import { ID_LENGTH, type Signer } from './token.ts'

interface Keys {
  readonly signing: Buffer
  readonly naming: Buffer
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

/**
 * HMAC-SHA256 (RFC 2104) under keys that are derived from each secret for one upstream and one purpose, so that no
 * upstream takes another one's cookie and no id can serve as a signature.
 */
export function keyring(secrets: readonly string[], upstream: string): Signer {
  const keys: Keys[] = secrets.map((secret) => ({
    signing: hmac(secret, `holdfast session: signing for ${upstream}`),
    naming: hmac(secret, `holdfast session: naming for ${upstream}`),
  }))
  const [first] = keys
  if (first === undefined) throw new TypeError('there is no secret')
  return {
    sign: (text) => hmac(first.signing, text).toString('base64url'),
    verify(text, signature) {
      const given = Buffer.from(signature, 'base64url')
      let right = false
      for (const { signing } of keys) {
        const wanted = hmac(signing, text)
        // Base64 has several spellings of the same bytes: all of them say the same.
        if (given.length === wanted.length && timingSafeEqual(given, wanted)) right = true
      }
      return right
    },
    idsOf: (origin) =>
      keys.map(({ naming }) => hmac(naming, origin).toString('base64url').slice(0, ID_LENGTH)),
  }
}
