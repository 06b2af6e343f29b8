/** Dice under a seed, uniform in [0, 1): mulberry32. */
export function seededDice(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Dice that show these numbers, one after the other, again and again. */
export function loadedDice(...numbers: readonly [number, ...number[]]): () => number {
  let next = 0
  return () => numbers[next++ % numbers.length] as number
}

/** A clock that stands still until it is told to go on. */
export function virtualClock(): { now(): number; advance(ms: number): void } {
  let time = 0
  return {
    now: () => time,
    advance(ms) {
      time += ms
    },
  }
}
