/**
 * Dice under a seed, uniform in [0, 1): sfc32 (Chris Doty-Humphrey's "Small Fast Counter", PractRand). A run
 * throws several of them, one `stream` for each purpose, so that all policies meet the same requests, the same
 * antagonists and the same work.
 */
export function dice(seed: number, stream: number): () => number {
  let a = seed | 0
  let b = stream | 0
  let c = 0x9e3779b9 | 0
  let counter = 1
  const next = (): number => {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    c |= 0
    return (sum >>> 0) / 2 ** 32
  }
  // Seeds that differ in one bit have nothing in common after this.
  for (let i = 0; i < 20; i++) next()
  return next
}
