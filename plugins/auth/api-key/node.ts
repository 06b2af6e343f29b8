import { createHash } from 'node:crypto'

/** As a config has it of a key: `sha256:` and 64 digits. */
export function hashKey(key: string): string {
  return `sha256:${createHash('sha256').update(key).digest('hex')}`
}
