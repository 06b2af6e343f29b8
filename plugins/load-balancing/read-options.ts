import type { Resolved, Schema } from '../config/kit.ts'
import { validate } from '../config/validate.ts'

/** Options of a balancer with units read and defaults filled in. Throws with what is wrong, and what to write instead. */
export function readOptions<I, R>(schema: Schema<I, R>, options: unknown): Resolved<Schema<I, R>> {
  const { value, problems } = validate(schema['~json'], options)
  if (problems.length > 0) {
    const texts = problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
    throw new TypeError(texts.join('; '))
  }
  return value as Resolved<Schema<I, R>>
}
