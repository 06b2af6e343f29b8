/** What queueing theory says, to hold the simulator against. Times are in units of the mean service time. */

/** Mean time in an M/M/1 queue, waiting and service: 1 / (1 - load). */
export function oneServer(load: number): number {
  return 1 / (1 - load)
}

/**
 * Mean time in an M/M/c queue: C / (c (1 - load)) + 1, C the odds of having to wait (Erlang 1917), by the recursion
 * for Erlang's B, which overflows nowhere.
 */
export function manyServers(servers: number, load: number): number {
  const offered = servers * load
  let blocked = 1
  for (let n = 1; n <= servers; n++) blocked = (offered * blocked) / (n + offered * blocked)
  const waits = blocked / (1 - load * (1 - blocked))
  return waits / (servers * (1 - load)) + 1
}

/**
 * Mean time in an M/G/1 queue, first come first served: 1 + load (1 + V) / (2 (1 - load)), V the squared coefficient
 * of variation of the service time (Pollaczek and Khinchine).
 */
export function oneGeneralServer(load: number, squaredVariation: number): number {
  return 1 + (load * (1 + squaredVariation)) / (2 * (1 - load))
}

/**
 * Mean time in the supermarket model with many M/M/1 servers, of which the shorter of `choices` queues is joined:
 * sum of load^((d^i - d) / (d - 1)) over i = 1, 2, ... (Vvedenskaya, Dobrushin and Karpelevich 1996; Mitzenmacher
 * 2001).
 */
export function supermarket(choices: number, load: number): number {
  if (choices === 1) return oneServer(load)
  let sum = 0
  for (let i = 1; ; i++) {
    const term = load ** ((choices ** i - choices) / (choices - 1))
    sum += term
    if (term < 1e-15) return sum
  }
}

/**
 * Variance of the mean number in a stationary M/M/1 queue that was watched for a time of 1: 2 load (1 + load) /
 * (1 - load)^4. Watched for T it is a T-th of it (Whitt, "Planning queueing simulations", 1989).
 */
export function varianceOfOneServer(load: number): number {
  return (2 * load * (1 + load)) / (1 - load) ** 4
}

/** The odds that none of n balls thrown at random into n bins makes a bin hold more than `most`, for large n. */
export function noBinAbove(most: number, n: number): number {
  // The number in a bin is Poisson with mean 1.
  let term = Math.exp(-1)
  let above = 0
  for (let k = 1; k < most + 40; k++) {
    term /= k
    if (k > most) above += term
  }
  return Math.exp(-n * above)
}

/** The largest bin of n balls in n bins, leading term: ln n / ln ln n at random, ln ln n / ln d with d choices. */
export function largestBin(choices: number, n: number): number {
  return choices === 1 ? Math.log(n) / Math.log(Math.log(n)) : Math.log(Math.log(n)) / Math.log(choices)
}
