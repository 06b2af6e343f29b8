import { createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { formatPasswordHash, type PasswordHash, type ScryptCost, scryptMemory } from './phc.ts'

function derive(password: string, salt: Buffer, length: number, cost: ScryptCost): Promise<Buffer> {
  const { ln, r, p } = cost
  const options = { N: 2 ** ln, r, p, maxmem: scryptMemory(cost) + 1024 * 1024 }
  return new Promise((resolve, reject) => {
    // On a thread of the pool: the loop goes on meanwhile.
    scrypt(password, salt, length, options, (error, key) => (error === null ? resolve(key) : reject(error)))
  })
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}

/** Whether a password (of NFC) has this hash. */
export async function verifyPassword(password: string, stored: PasswordHash): Promise<boolean> {
  const wanted = Buffer.from(stored.hash, 'base64')
  const got = await derive(password, Buffer.from(stored.salt, 'base64'), wanted.length, stored)
  return timingSafeEqual(got, wanted)
}

/** A hash for the config, in PHC form, under a salt of its own. */
export async function hashPassword(password: string, cost: ScryptCost): Promise<string> {
  const salt = randomBytes(16)
  const hash = await derive(password.normalize('NFC'), salt, 32, cost)
  return formatPasswordHash({ ...cost, salt: unpadded(salt), hash: unpadded(hash) })
}

/** A hash under a key that only this process has, and only while it runs. */
export function processTag(): (text: string) => string {
  const key = randomBytes(32)
  return (text) => createHmac('sha256', key).update(text).digest('hex')
}
