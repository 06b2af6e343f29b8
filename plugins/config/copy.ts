import { messageOf } from './messages.ts'
import type { Place } from './place.ts'
import { isObject } from './plain.ts'

/** So deep may a config be nested: nobody means more, and whoever reads it needs a stack. */
const DEEPEST = 64

/**
 * A copy of the plain objects and lists in `value`; functions, regular expressions and the like are kept as they are.
 * Each property is read once. What cannot be copied is told to the place.
 */
export function copyPlain(value: unknown, place: Place, around: readonly unknown[] = []): unknown {
  if (!Array.isArray(value) && !isObject(value)) return value
  if (around.includes(value)) {
    place.refuse('contains itself', 'write out what is meant')
    return undefined
  }
  if (around.length === DEEPEST) {
    place.refuse(`is nested deeper than ${DEEPEST} levels`, 'write it flatter')
    return undefined
  }
  const inside = [...around, value]
  if (Array.isArray(value)) {
    return Array.from(value, (inner, index) => copyPlain(inner, place.at(index), inside))
  }
  return Object.fromEntries(
    Object.keys(value).map((key) => {
      const at = place.at(key)
      try {
        return [key, copyPlain(value[key], at, inside)]
      } catch (error) {
        at.refuse(`cannot be read: ${messageOf(error)}`, 'write the value itself')
        return [key, undefined]
      }
    }),
  )
}
