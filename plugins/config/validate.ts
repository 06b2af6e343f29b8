import { Ajv, type ErrorObject, type FuncKeywordDefinition } from 'ajv'
import type { TSchema } from 'typebox'
import type { Problem } from './errors.ts'
import { problemOf, show } from './messages.ts'
import { parseDuration, parseSize } from './units.ts'

interface Bounds {
  minimum?: number | string
  maximum?: number | string
}

function unitKeyword(
  keyword: string,
  parse: (value: unknown) => number | undefined,
  wanted: string,
): FuncKeywordDefinition {
  const definition: FuncKeywordDefinition = {
    keyword,
    modifying: true,
    errors: true,
    validate: Object.assign(
      (
        bounds: Bounds,
        value: unknown,
        _schema: unknown,
        at: { parentData: object; parentDataProperty: string | number } | undefined,
      ) => {
        const parsed = parse(value)
        const fail = (message: string) => {
          const validate = definition.validate as { errors?: Partial<ErrorObject>[] }
          validate.errors = [{ keyword, message, params: {} }]
          return false
        }
        if (parsed === undefined) return fail(`must be ${wanted}, is ${show(value)}`)
        const minimum = parse(bounds.minimum)
        const maximum = parse(bounds.maximum)
        if (minimum !== undefined && parsed < minimum)
          return fail(`must be at least ${bounds.minimum}, is ${show(value)}`)
        if (maximum !== undefined && parsed > maximum)
          return fail(`must be at most ${bounds.maximum}, is ${show(value)}`)
        if (at !== undefined)
          (at.parentData as Record<string | number, unknown>)[at.parentDataProperty] = parsed
        return true
      },
      {},
    ),
  }
  return definition
}

const shorthandKeyword: FuncKeywordDefinition = {
  keyword: 'shorthand',
  modifying: true,
  errors: false,
  validate: (
    property: string,
    value: unknown,
    _schema?: unknown,
    at?: { parentData: object; parentDataProperty: string | number },
  ) => {
    if (at !== undefined && (typeof value !== 'object' || value === null || Array.isArray(value))) {
      ;(at.parentData as Record<string | number, unknown>)[at.parentDataProperty] = { [property]: value }
    }
    return true
  },
}

const listedKeyword: FuncKeywordDefinition = {
  keyword: 'listed',
  modifying: true,
  errors: false,
  validate: (
    _on: true,
    value: unknown,
    _schema?: unknown,
    at?: { parentData: object; parentDataProperty: string | number },
  ) => {
    if (at !== undefined && !Array.isArray(value)) {
      ;(at.parentData as Record<string | number, unknown>)[at.parentDataProperty] = [value]
    }
    return true
  },
}

const upstreamNameKeyword: FuncKeywordDefinition = {
  keyword: 'upstreamName',
  errors: false,
  validate: (_on: true, value: unknown, _schema?: unknown, at?: { rootData: unknown }) => {
    const upstreams = (at?.rootData as { upstreams?: unknown } | undefined)?.upstreams
    return (
      typeof value === 'string' &&
      typeof upstreams === 'object' &&
      upstreams !== null &&
      Object.hasOwn(upstreams, value)
    )
  },
}

const customKeyword: FuncKeywordDefinition = {
  keyword: 'custom',
  errors: false,
  validate: (refuse: (value: unknown) => string | undefined, value: unknown) => refuse(value) === undefined,
}

/** A copy of the plain objects and lists in `value`; functions, regular expressions and the like are kept as they are. */
export function copyPlain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyPlain)
  if (value === null || typeof value !== 'object') return value
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined)
  return Object.fromEntries(entries.map(([key, inner]) => [key, copyPlain(inner)]))
}

/** Freezes what `copyPlain` copies. */
export function freezePlain<T>(value: T): T {
  if (value === null || typeof value !== 'object' || Object.isFrozen(value)) return value
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null && !Array.isArray(value)) return value
  for (const inner of Object.values(value)) freezePlain(inner)
  return Object.freeze(value)
}

/** What was read, and all that is wrong with it. */
export interface Validated {
  readonly value: unknown
  readonly problems: Problem[]
}

/** Checks `input` against a schema of the kit, once. */
export function validate(json: TSchema, input: unknown): Validated {
  return validator(json)(input)
}

/**
 * Makes what checks inputs against a schema of the kit; making it is most of the work. `value` is a copy with units
 * read, shorthands written out and defaults filled in; the input stays untouched. All problems are found, not just
 * the first.
 */
export function validator(json: TSchema): (input: unknown) => Validated {
  const ajv = new Ajv({
    allErrors: true,
    useDefaults: true,
    strict: false,
    strictNumbers: true,
    verbose: true,
    inlineRefs: false,
    // The schemas are the kit's, and each is used once: looking at them and at the code for them costs more than it brings.
    meta: false,
    validateSchema: false,
    code: { optimize: false },
  })
  ajv.addKeyword(unitKeyword('duration', parseDuration, 'a duration like "250ms", "2s" or milliseconds'))
  ajv.addKeyword(unitKeyword('size', parseSize, 'a size like "64KiB", "10MiB" or bytes'))
  ajv.addKeyword(shorthandKeyword)
  ajv.addKeyword(listedKeyword)
  ajv.addKeyword(upstreamNameKeyword)
  ajv.addKeyword(customKeyword)
  const check = ajv.compile(json)
  return (input) => {
    const value = copyPlain(input)
    check(value)
    const problems = (check.errors ?? []).flatMap((error) => problemOf(error, value) ?? [])
    return { value, problems }
  }
}
