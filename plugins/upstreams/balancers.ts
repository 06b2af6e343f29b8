import type { Problem } from '../config/errors.ts'
import { custom } from '../config/kit.ts'
import { messageOf } from '../config/messages.ts'
import type { Schema } from '../config/typed.ts'
import { read, validate } from '../config/validate.ts'
import type { Balancer, BalancerFactory, PolicyContext } from './contract.ts'

/** A balancer as it was defined, with its options as they stand in the config. */
export interface DefinedBalancer {
  /** All that is wrong with these options; paths are within them. */
  problems(options: unknown): readonly Problem[]
  /** Throws a TypeError that says all that is wrong with the options. */
  create(context: PolicyContext, options: unknown): Balancer
}

const NONE = custom<object>((options) => {
  const [key] = Object.keys(options as object)
  return key === undefined ? undefined : `takes no options, but "${key}" is set; take it out`
})
/** For a balancer that is only made to see whether it can be. */
const STILL: PolicyContext = { now: () => 0, random: () => 0 }

/** @param schema left out: it takes no options */
export function defined(
  create: BalancerFactory<never>,
  schema: Schema<unknown, unknown> = NONE,
): DefinedBalancer {
  return {
    problems(options) {
      const { value, problems } = validate(schema, options ?? {})
      if (problems.length > 0) return problems
      try {
        create(STILL, value as never)
        return []
      } catch (error) {
        return [{ path: '', message: messageOf(error) }]
      }
    },
    create: (context, options) => create(context, read(schema, options ?? {}) as never),
  }
}
