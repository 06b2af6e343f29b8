/** How messages call values, where they stand, and what went wrong. */
import { isObject } from './plain.ts'

/** More of a text tells nobody more, and buries what else is wrong. */
const LONGEST = 200

/** Any value in a few words. Runs nothing of the value itself, and never throws. */
export function show(value: unknown): string {
  if (typeof value === 'string')
    return `"${value.length > LONGEST ? `${value.slice(0, LONGEST)}...` : value}"`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'a list'
  if (value === null || typeof value !== 'object') return String(value)
  return isObject(value) ? 'an object' : kindOf(value)
}

/** What a value of no plain kind is: `a Map`. */
function kindOf(value: object): string {
  let name: unknown
  try {
    name = Object.getPrototypeOf(value).constructor.name
  } catch {}
  if (typeof name !== 'string' || name === '' || name === 'Object')
    return 'an object with a prototype of its own'
  return `${/^[AEIO]/.test(name) ? 'an' : 'a'} ${name}`
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

/** What was thrown, in words: anything can be. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof Error)
    return typeof thrown.message === 'string' ? thrown.message : show(thrown.message)
  return typeof thrown === 'string' ? thrown : show(thrown)
}
