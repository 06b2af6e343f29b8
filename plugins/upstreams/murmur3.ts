function mixed(hash: number, word: number): number {
  const block = Math.imul(word, 0xcc9e2d51)
  const h = hash ^ Math.imul((block << 15) | (block >>> 17), 0x1b873593)
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0
}

/** The bytes of a code point in UTF-8, the first one lowest. */
function utf8(point: number): number {
  if (point < 0x80) return point
  const last = 0x80 | (point & 0x3f)
  if (point < 0x800) return 0xc0 | (point >> 6) | (last << 8)
  const middle = 0x80 | ((point >> 6) & 0x3f)
  if (point < 0x10000) return 0xe0 | (point >> 12) | (middle << 8) | (last << 16)
  return 0xf0 | (point >> 18) | ((0x80 | ((point >> 12) & 0x3f)) << 8) | (middle << 16) | (last << 24)
}

/**
 * MurmurHash3 x86 32-bit (Austin Appleby, 2011) of the text in UTF-8, half a surrogate pair as U+FFFD: the same
 * number as every other implementation gives, so that other programs can find a key's target too. For one text and
 * two seeds it never gives the same number twice. Unsigned; allocates nothing.
 *
 * It is no defence against keys that were made to collide: bounded load is.
 */
export function murmur3(text: string, seed = 0): number {
  let hash = seed | 0
  let word = 0
  let bits = 0
  let length = 0
  for (let i = 0; i < text.length; i++) {
    let point = text.charCodeAt(i)
    if (bits === 0 && i + 3 < text.length) {
      const b = text.charCodeAt(i + 1)
      const c = text.charCodeAt(i + 2)
      const d = text.charCodeAt(i + 3)
      if ((point | b | c | d) < 0x80) {
        hash = mixed(hash, point | (b << 8) | (c << 16) | (d << 24))
        length += 4
        i += 3
        continue
      }
    }
    if (point >= 0xd800 && point < 0xe000) {
      point = text.codePointAt(i) as number
      if (point < 0x10000) point = 0xfffd
      else i++
    }
    let bytes = utf8(point)
    do {
      word |= (bytes & 0xff) << bits
      bits += 8
      length++
      if (bits === 32) {
        hash = mixed(hash, word)
        word = 0
        bits = 0
      }
      bytes >>>= 8
    } while (bytes !== 0)
  }
  const tail = Math.imul(word, 0xcc9e2d51)
  hash ^= Math.imul((tail << 15) | (tail >>> 17), 0x1b873593) ^ length
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
