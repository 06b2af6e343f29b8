/** One that knows its place in a list, so that it leaves at the same cost however long that is. */
export interface Placed {
  /** -1 while it is in none. Kept by the list. */
  place: number
}

// No Set: with so many coming and going, its outgrown tables keep what they once held until the next full garbage
// collection, and a fifth of the time went into moving that about.

/** To be called with what is in no list. */
export function put<T extends Placed>(list: T[], one: T): void {
  one.place = list.push(one) - 1
}

/** The last one takes its place. Does nothing with what is in no list. */
export function take<T extends Placed>(list: T[], one: T): void {
  if (one.place === -1) return
  const last = list.pop() as T
  if (last !== one) {
    list[one.place] = last
    last.place = one.place
  }
  one.place = -1
}
