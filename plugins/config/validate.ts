import { Ajv, type DefinedError, type ErrorObject, type FuncKeywordDefinition } from 'ajv'
import type { TSchema } from 'typebox'
import type { Problem } from './errors.ts'
import { suggestion } from './suggest.ts'
import { parseDuration, parseSize } from './units.ts'

interface Bounds {
  minimum?: number | string
  maximum?: number | string
}

function article(what: string): string {
  return what === 'object' || what === 'array' || what === 'integer' ? `an ${what}` : `a ${what}`
}

function show(value: unknown): string {
  if (typeof value === 'string') return `"${value}"`
  if (Array.isArray(value)) return 'a list'
  if (value !== null && typeof value === 'object') return 'an object'
  return String(value)
}

/** `/routes/0/headers/x-a` as `routes[0].headers["x-a"]`, the way it is written in the file. */
export function dotted(pointer: string, ...more: readonly string[]): string {
  const steps = pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  let path = ''
  for (const step of [...steps, ...more]) {
    if (/^\d+$/.test(step)) path += `[${step}]`
    else if (/^[A-Za-z_$][\w$]*$/.test(step)) path += path === '' ? step : `.${step}`
    else path += `["${step}"]`
  }
  return path
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
    if (at !== undefined && (typeof value !== 'object' || value === null)) {
      ;(at.parentData as Record<string | number, unknown>)[at.parentDataProperty] = { [property]: value }
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

function problemOf(error: DefinedError | ErrorObject, root: unknown): Problem | undefined {
  const path = dotted(error.instancePath)
  const parent = error.parentSchema as
    | { remedy?: string; noun?: string; properties?: object; custom?: unknown }
    | undefined
  const remedy = parent?.remedy === undefined ? '' : `; ${parent.remedy}`
  const params = error.params as Record<string, string>
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = params.additionalProperty as string
      return {
        path: dotted(error.instancePath, key),
        message: `unknown key; ${suggestion(key, Object.keys(parent?.properties ?? {}))}`,
      }
    }
    case 'required':
      return { path: dotted(error.instancePath, params.missingProperty as string), message: 'is required' }
    case 'type':
      return {
        path,
        message: `must be ${article(params.type as string)}, is ${show(error.data)}${remedy}`,
      }
    case 'enum': {
      const values = (error.params as { allowedValues: unknown[] }).allowedValues.map(String)
      return {
        path,
        message: `${show(error.data)} is not one of the choices; ${suggestion(String(error.data), values)}`,
      }
    }
    case 'minItems':
      return { path, message: `needs at least one ${parent?.noun ?? 'entry'}` }
    case 'minProperties':
      return { path, message: `needs at least one entry${remedy}` }
    case 'upstreamName': {
      const names = Object.keys((root as { upstreams?: object })?.upstreams ?? {})
      return {
        path,
        message: `no upstream is named ${show(error.data)}; ${suggestion(String(error.data), names)}`,
      }
    }
    case 'custom':
      return { path, message: `${(error.schema as (value: unknown) => string)(error.data)}${remedy}` }
    case 'propertyNames': {
      // The inner error says what the name should have been; this one only repeats that it is wrong.
      if ((error.schema as { upstreamName?: true }).upstreamName === true) return undefined
      return {
        path: dotted(error.instancePath, params.propertyName as string),
        message: `is not a good name${remedy || '; use letters, digits, "-", "_" and "."'}`,
      }
    }
    case 'pattern':
      // A pattern on a property's name is reported by `propertyNames`, which knows the whole path.
      return error.propertyName === undefined
        ? { path, message: `${show(error.data)} is not of the right form${remedy}` }
        : undefined
    default:
      return {
        path,
        message:
          `${error.message ?? 'is not right'}${error.data === undefined || typeof error.data === 'object' ? '' : `, is ${show(error.data)}`}${remedy}`.replace(
            /(, is ([^,;]+)), is \2/,
            '$1',
          ),
      }
  }
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

/**
 * Checks `input` against a schema of the kit. `value` is a copy with units read, shorthands written out and
 * defaults filled in; the input stays untouched. All problems are found, not just the first.
 */
export function validate(json: TSchema, input: unknown): { value: unknown; problems: Problem[] } {
  const ajv = new Ajv({ allErrors: true, useDefaults: true, strict: false, verbose: true, inlineRefs: false })
  ajv.addKeyword(unitKeyword('duration', parseDuration, 'a duration like "250ms", "2s" or milliseconds'))
  ajv.addKeyword(unitKeyword('size', parseSize, 'a size like "64KiB", "10MiB" or bytes'))
  ajv.addKeyword(shorthandKeyword)
  ajv.addKeyword(upstreamNameKeyword)
  ajv.addKeyword(customKeyword)
  const check = ajv.compile(json)
  const value = copyPlain(input)
  check(value)
  const problems = (check.errors ?? []).flatMap((error) => problemOf(error, value) ?? [])
  return { value, problems }
}
