import type { Problem } from './errors.ts'
import { show, written } from './messages.ts'

/** Where in the config a value stands that is being read, and what has been found wrong in all of it. */
export class Place {
  readonly problems: Problem[]
  readonly #root: unknown
  readonly #steps: readonly (string | number)[]

  constructor(root: unknown, problems: Problem[] = [], steps: readonly (string | number)[] = []) {
    this.#root = root
    this.problems = problems
    this.#steps = steps
  }

  at(step: string | number): Place {
    return new Place(this.#root, this.problems, [...this.#steps, step])
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

  /** The names that the config gives to its upstreams. */
  upstreams(): readonly string[] {
    return Object.keys((this.#root as { upstreams?: object } | null)?.upstreams ?? {})
  }
}
