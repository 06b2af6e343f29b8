/** Plain objects and lists, which a config is made of. */

/** Whether it is a plain object: no list, and no instance of a class. */
export function isObject(value: unknown): value is Record<string, unknown> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Freezes what `copyPlain` copies. */
export function freezePlain<T>(value: T): T {
  if (!Array.isArray(value) && !isObject(value)) return value
  for (const inner of Object.values(value)) freezePlain(inner)
  return Object.freeze(value)
}
