import type { Labels } from '../rules/rule.ts'

/** Alerts with these labels are not told of until then. */
export interface Silence {
  readonly id: string
  readonly where: Labels
  /** Milliseconds since 1970. */
  readonly until: number
  readonly comment: string
  /** It stands in the config, and can only be ended there. */
  readonly configured: boolean
}

/** Whether a value is meant by a pattern in which `*` stands for any text. */
function fits(pattern: string, value: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  const last = rest.pop()
  if (last === undefined) return value === pattern
  if (!value.startsWith(first)) return false
  let at = first.length
  for (const piece of rest) {
    const found = value.indexOf(piece, at)
    if (found === -1) return false
    at = found + piece.length
  }
  return value.length - last.length >= at && value.endsWith(last)
}

/** Whether the labels are all there and as they should be. A label that is empty is not there; only '' asks for that. */
export function matches(where: Labels, labels: Labels): boolean {
  return Object.entries(where).every(([name, pattern]) => {
    const value = labels[name] ?? ''
    return value === '' ? pattern === '' : fits(pattern, value)
  })
}

/** So many may be set at run time: what is posted by mistake in a loop must not fill the memory. */
const MOST = 1000

export class Silences {
  #all: Silence[]
  #made = 0

  constructor(configured: readonly Omit<Silence, 'id' | 'configured'>[]) {
    this.#all = configured.map((one, i) => ({ ...one, id: `config-${i}`, configured: true }))
  }

  /** Those that hold now. */
  list(timeOfDay: number): readonly Silence[] {
    return this.#all.filter(({ until }) => until > timeOfDay)
  }

  /** Throws if there are too many. */
  add(silence: Pick<Silence, 'where' | 'until' | 'comment'>, timeOfDay: number): Silence {
    // Those that are over are kept for as long as there is room: the clock may have been wrong, and is set back.
    const full = (): boolean => this.#all.filter(({ configured }) => !configured).length >= MOST
    if (full()) this.#all = [...this.list(timeOfDay)]
    if (full()) throw new RangeError(`there are ${MOST} silences already; end some`)
    const one = { ...silence, id: String(++this.#made), configured: false }
    this.#all.push(one)
    return one
  }

  /** Returns false if there is none of that id that was set at run time. */
  end(id: string): boolean {
    const before = this.#all.length
    this.#all = this.#all.filter((one) => one.id !== id || one.configured)
    return this.#all.length < before
  }

  silenced(labels: Labels, timeOfDay: number): boolean {
    return this.#all.some(({ where, until }) => until > timeOfDay && matches(where, labels))
  }
}
