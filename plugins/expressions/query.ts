/** The query as expressions see it. */
import { parameterName } from '../config/parameter-name.ts'
import { EvaluationError } from './errors.ts'

const DECODED_SPACE = /\+/g

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replace(DECODED_SPACE, ' '))
  } catch {
    throw new EvaluationError('the query is not percent-encoded UTF-8')
  }
}

/** Stands for a parameter that is given more than once. */
const SEVERAL: unique symbol = Symbol('several')

/**
 * Parameters by name, decoded. One that is given more than once, in another spelling too that some upstream may take for
 * it, has no value, and asking for it is an error: this gateway and the upstream might each take another one of them.
 */
export class QueryMap implements ReadonlyMap<string, string> {
  readonly #values = new Map<string, string | typeof SEVERAL>()

  /** @param query raw, with its leading `?`, or `''` */
  constructor(query: string) {
    const spellings = new Map<string, string>()
    for (const pair of query.slice(1).split('&')) {
      if (pair === '') continue
      const equals = pair.indexOf('=')
      const name = decoded(equals < 0 ? pair : pair.slice(0, equals))
      const value = decoded(equals < 0 ? '' : pair.slice(equals + 1))
      const same = parameterName(name)
      const other = spellings.get(same)
      spellings.set(same, name)
      this.#values.set(name, other === undefined ? value : SEVERAL)
      if (other !== undefined) this.#values.set(other, SEVERAL)
    }
  }

  get size(): number {
    return this.#values.size
  }

  get(name: string): string | undefined {
    const value = this.#values.get(name)
    if (value === SEVERAL) throw new EvaluationError('a parameter of the query is given more than once')
    return value
  }

  has(name: string): boolean {
    return this.#values.has(name)
  }

  keys(): MapIterator<string> {
    return this.#values.keys()
  }

  *values(): MapIterator<string> {
    for (const name of this.#values.keys()) yield this.get(name) as string
  }

  *entries(): MapIterator<[string, string]> {
    for (const name of this.#values.keys()) yield [name, this.get(name) as string]
  }

  [Symbol.iterator](): MapIterator<[string, string]> {
    return this.entries()
  }

  forEach(run: (value: string, name: string, map: ReadonlyMap<string, string>) => void): void {
    for (const [name, value] of this.entries()) run(value, name, this)
  }
}
