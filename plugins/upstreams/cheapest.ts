/**
 * The one of the least cost that takes the request, of those whose cost is not infinite; undefined if none does. Of
 * equal ones each is as likely: nobody wins ties by its place.
 */
export function cheapest<T>(
  random: () => number,
  all: readonly T[],
  costOf: (one: T) => number,
  takes: (one: T) => boolean,
): T | undefined {
  let best: T | undefined
  let least = Number.POSITIVE_INFINITY
  let equal = 0
  for (const one of all) {
    const cost = costOf(one)
    if (cost > least || cost === Number.POSITIVE_INFINITY) continue
    equal = cost < least ? 1 : equal + 1
    // The n-th of equal ones takes the place of the one before it with 1 / n.
    if (equal > 1 && random() * equal >= 1) continue
    best = one
    least = cost
  }
  if (best === undefined || takes(best)) return best
  return all
    .map((one) => ({ one, cost: one === best ? Number.POSITIVE_INFINITY : costOf(one) }))
    .filter(({ cost }) => cost < Number.POSITIVE_INFINITY)
    .sort((a, b) => a.cost - b.cost)
    .find(({ one }) => takes(one))?.one
}
