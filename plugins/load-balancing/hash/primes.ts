export function isPrime(n: number): boolean {
  if (!Number.isInteger(n) || n < 2) return false
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false
  return true
}

/** The smallest prime that is not below `n`. */
export function nextPrime(n: number): number {
  let prime = Math.max(2, Math.ceil(n))
  while (!isPrime(prime)) prime++
  return prime
}
