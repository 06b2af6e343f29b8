import type { Balancer } from './contract.ts'

/** What an upstream does that was given no balancer: each in turn. */
export function inTurn(): Balancer {
  let turn = -1
  return {
    pick(candidates) {
      turn = (turn + 1) % candidates.length
      return candidates[turn] ?? candidates[0]
    },
  }
}
