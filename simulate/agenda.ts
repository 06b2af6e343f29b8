/**
 * What is to happen, the earliest first: a heap with four children to a node, in typed arrays. Times are
 * milliseconds. Nothing is ever taken out of the middle: an entry carries a stamp, and who entered it knows
 * whether that still holds.
 */
export class Agenda {
  #times = new Float64Array(1024)
  #subjects = new Int32Array(1024)
  #stamps = new Int32Array(1024)
  #kinds = new Uint8Array(1024)
  #size = 0
  /** Of the entry that `take` took last. */
  subject = 0
  stamp = 0
  kind = 0

  get size(): number {
    return this.#size
  }

  /** When the earliest entry is due; Infinity if there is none. */
  get next(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : this.#times[0]!
  }

  add(time: number, kind: number, subject: number, stamp: number): void {
    if (this.#size === this.#times.length) this.#grow()
    let at = this.#size++
    while (at > 0) {
      const parent = (at - 1) >> 2
      if (this.#times[parent]! <= time) break
      this.#move(parent, at)
      at = parent
    }
    this.#put(at, time, kind, subject, stamp)
  }

  /** Takes the earliest entry: `kind`, `subject` and `stamp` say what it is. */
  take(): void {
    this.subject = this.#subjects[0]!
    this.stamp = this.#stamps[0]!
    this.kind = this.#kinds[0]!
    const last = --this.#size
    if (last === 0) return
    const times = this.#times
    const time = times[last]!
    let at = 0
    for (;;) {
      const first = at * 4 + 1
      if (first >= last) break
      const end = Math.min(first + 4, last)
      let least = first
      for (let child = first + 1; child < end; child++) if (times[child]! < times[least]!) least = child
      if (times[least]! >= time) break
      this.#move(least, at)
      at = least
    }
    this.#put(at, time, this.#kinds[last]!, this.#subjects[last]!, this.#stamps[last]!)
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from]!
    this.#kinds[to] = this.#kinds[from]!
    this.#subjects[to] = this.#subjects[from]!
    this.#stamps[to] = this.#stamps[from]!
  }

  #put(at: number, time: number, kind: number, subject: number, stamp: number): void {
    this.#times[at] = time
    this.#kinds[at] = kind
    this.#subjects[at] = subject
    this.#stamps[at] = stamp
  }

  #grow(): void {
    const grown = this.#size * 2
    const times = new Float64Array(grown)
    const subjects = new Int32Array(grown)
    const stamps = new Int32Array(grown)
    const kinds = new Uint8Array(grown)
    times.set(this.#times)
    subjects.set(this.#subjects)
    stamps.set(this.#stamps)
    kinds.set(this.#kinds)
    this.#times = times
    this.#subjects = subjects
    this.#stamps = stamps
    this.#kinds = kinds
  }
}
