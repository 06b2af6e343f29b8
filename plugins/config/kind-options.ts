/** Options of kinds that plugins define: of authenticators, of authorizers. Their schemas come with the plugins. */
import type { Problem } from './errors.ts'
import { custom, guarded, object } from './kit.ts'
import { show } from './messages.ts'
import { isObject } from './plain.ts'
import type { Schema } from './typed.ts'
import { validate } from './validate.ts'

/** Of a kind that was defined without a schema. */
export const NO_OPTIONS: Schema<unknown> = custom((options) => {
  if (!isObject(options)) return `must be {}, is ${show(options)}`
  const [key] = Object.keys(options)
  return key === undefined
    ? undefined
    : `takes no options, but "${key}" is set; take it out, or have the plugin define the kind with a schema`
})

/**
 * All that is wrong with options. What keeps somebody out may not be undefined, nor anything in it.
 * @param place where they stand in the config
 */
export function optionProblems(schema: Schema<unknown>, options: unknown, place: string): Problem[] {
  const { problems } = validate(object({ o: guarded(schema) }), { o: options })
  return problems.map(({ path, message }) => ({ path: `${place}${path.slice(1)}`, message }))
}
