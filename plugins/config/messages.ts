/** What is said of a value that the schema refuses: what is wrong, and what to write instead. */
import type { ErrorObject } from 'ajv'
import type { Problem } from './errors.ts'
import { suggestion } from './suggest.ts'

/** JSON Schema's words for types are not those of people who write a config. */
const WANTED: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  integer: 'a whole number',
  number: 'a number',
  object: 'an object',
  string: 'text',
}

const LIMITS: Readonly<Record<string, string>> = {
  minimum: 'at least',
  maximum: 'at most',
  exclusiveMinimum: 'above',
  exclusiveMaximum: 'below',
}

export function show(value: unknown): string {
  if (typeof value === 'string') return `"${value}"`
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'function') return 'a function'
  if (value !== null && typeof value === 'object') return 'an object'
  return String(value)
}

/** `written('routes', 0, 'headers', 'x-a')` is `routes[0].headers["x-a"]`: a path the way it stands in the file. */
export function written(...steps: readonly (string | number)[]): string {
  let path = ''
  for (const step of steps) {
    if (typeof step === 'number') path += `[${step}]`
    else if (/^[A-Za-z_$][\w$]*$/.test(step)) path += path === '' ? step : `.${step}`
    else path += `[${JSON.stringify(step)}]`
  }
  return path
}

/** The same for a JSON pointer into `root`, of which it asks what is a list. */
function dotted(pointer: string, root: unknown, ...more: readonly string[]): string {
  const steps: (string | number)[] = []
  let at = root
  for (const part of pointer.split('/').slice(1)) {
    const step = part.replaceAll('~1', '/').replaceAll('~0', '~')
    steps.push(Array.isArray(at) ? Number(step) : step)
    at = (at as Record<string, unknown> | undefined)?.[step]
  }
  return written(...steps, ...more)
}

/** The problem that Ajv's error stands for; undefined where another error says it better. */
export function problemOf(error: ErrorObject, root: unknown): Problem | undefined {
  const path = dotted(error.instancePath, root)
  const parent = error.parentSchema as
    | { remedy?: string; noun?: string; properties?: object; custom?: unknown }
    | undefined
  const remedy = parent?.remedy === undefined ? '' : `; ${parent.remedy}`
  const params = error.params as Record<string, string>
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = params.additionalProperty as string
      return {
        path: dotted(error.instancePath, root, key),
        message: `unknown key; ${suggestion(key, Object.keys(parent?.properties ?? {}))}`,
      }
    }
    case 'required':
      return {
        path: dotted(error.instancePath, root, params.missingProperty as string),
        message: 'is required',
      }
    case 'type':
      return {
        path,
        message: `must be ${WANTED[params.type as string] ?? params.type}, is ${show(error.data)}${remedy}`,
      }
    case 'enum': {
      const { allowedValues: values } = error.params as { allowedValues: unknown[] }
      const message = values.every((value) => typeof value === 'number')
        ? `must be one of ${values.join(', ')}, is ${show(error.data)}`
        : `${show(error.data)} is not one of the choices; ${suggestion(String(error.data), values.map(String))}`
      return { path, message: `${message}${remedy}` }
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
        path: dotted(error.instancePath, root, params.propertyName as string),
        message: `is not a good name${remedy || '; use letters, digits, "-", "_" and "."'}`,
      }
    }
    case 'pattern':
      // A pattern on a property's name is reported by `propertyNames`, which knows the whole path.
      return error.propertyName === undefined
        ? { path, message: `${show(error.data)} is not of the right form${remedy}` }
        : undefined
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum': {
      const limit = `${LIMITS[error.keyword]} ${params.limit}`
      return { path, message: `must be ${limit}, is ${show(error.data)}${remedy}` }
    }
    case 'minLength':
      return { path, message: `must not be empty${remedy}` }
    default:
      // What the unit keywords say names the value already.
      return { path, message: `${error.message ?? 'is not right'}${remedy}` }
  }
}
