import type { Problem } from './errors.ts'
import { show, written } from './messages.ts'
import { isObject } from './plain.ts'

/** Where in the config a value stands that is being read, and what has been found wrong in all of it. */
export class Place {
  readonly problems: Problem[]
  /** Whether it belongs to what keeps somebody out: nothing here may be undefined. */
  readonly guarded: boolean
  readonly #root: unknown
  readonly #steps: readonly (string | number)[]

  constructor(
    root: unknown,
    problems: Problem[] = [],
    steps: readonly (string | number)[] = [],
    guarded = false,
  ) {
    this.#root = root
    this.problems = problems
    this.#steps = steps
    this.guarded = guarded
  }

  at(step: string | number, guarded = this.guarded): Place {
    return new Place(this.#root, this.problems, [...this.#steps, step], guarded)
  }

  /** Says what is wrong with the value here, and what to write instead. */
  refuse(message: string, remedy?: string): void {
    const path = written(...this.#steps)
    this.problems.push({ path, message: remedy === undefined ? message : `${message}; ${remedy}` })
  }

  /** Says that `value`, which stands here, is not what was wanted. */
  wants(wanted: string, value: unknown, remedy?: string): void {
    this.refuse(`must be ${wanted}, is ${show(value)}`, remedy)
  }

  /** Says that what was written here has come to nothing, and is not taken for left out. */
  refuseUndefined(): void {
    this.refuse('is undefined, as a variable is that is not set', 'give it a value, or leave the key out')
  }

  /** The names that the config gives to its upstreams. */
  upstreams(): readonly string[] {
    const upstreams = isObject(this.#root) ? this.#root['upstreams'] : undefined
    return isObject(upstreams) ? Object.keys(upstreams) : []
  }
}
