/** Ids of traces and spans, as lower-case hexadecimal digits. */
export interface Ids {
  trace(): string
  span(): string
}

const NOTHING = /^0+$/

/**
 * @param pool filled with random bytes when it is used up, so that a request asks for none by itself
 * @param fill puts random bytes in
 */
export function randomIds(pool: Buffer, fill: (pool: Buffer) => void): Ids {
  let at = pool.length
  const next = (bytes: number): string => {
    for (;;) {
      if (at + bytes > pool.length) {
        fill(pool)
        at = 0
      }
      const id = pool.toString('hex', at, at + bytes)
      at += bytes
      // All zeros are no id.
      if (!id.startsWith('00000000') || !NOTHING.test(id)) return id
    }
  }
  return { trace: () => next(16), span: () => next(8) }
}
