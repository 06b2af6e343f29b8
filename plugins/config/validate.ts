import { copyPlain } from './copy.ts'
import type { Problem } from './errors.ts'
import { Place } from './place.ts'
import type { Resolved, Schema } from './typed.ts'

/** What was read, and all that is wrong with it. */
export interface Validated {
  readonly value: unknown
  readonly problems: Problem[]
}

/**
 * Reads `input` by a schema of the kit. `value` is a copy with units read, shorthands written out and defaults
 * filled in; the input stays untouched. All problems are found, not just the first.
 */
export function validate(schema: Schema<unknown>, input: unknown): Validated {
  const problems: Problem[] = []
  const copy = copyPlain(input, new Place(input, problems))
  // What could not be copied has left holes: they are no mistakes of their own.
  if (problems.length > 0) return { value: copy, problems }
  return { value: schema['~read'](copy, new Place(copy, problems)), problems }
}

/**
 * What `input` says by a schema of the kit: options of a policy, the body of a request. Throws a TypeError that names
 * all that is wrong; as an answer it is a 400.
 */
export function read<I, R>(schema: Schema<I, R>, input: unknown): Resolved<Schema<I, R>> {
  const { value, problems } = validate(schema, input)
  if (problems.length === 0) return value as Resolved<Schema<I, R>>
  const texts = problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
  throw Object.assign(new TypeError(texts.join('; ')), { statusCode: 400 })
}
