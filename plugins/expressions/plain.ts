/** Values of CEL as what JSON has for them, for those who know nothing of CEL. */
import { isCelList, isCelMap, isCelType, isCelUint } from '@bufbuild/cel'
import { type DescMessage, type Message, toJson } from '@bufbuild/protobuf'
import { base64Encode } from '@bufbuild/protobuf/wire'
import { EvaluationError } from './errors.ts'

/** What an expression comes to. Numbers of the types `int` and `uint` are a `bigint`, those of `double` a `number`. */
export type Plain =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly Plain[]
  | { readonly [name: string]: Plain }

/**
 * Maps are objects, with their names in order, so that equal ones are equal as text; what else CEL has of its own is text
 * as protobuf's JSON has it: bytes in base64, a timestamp as RFC 3339 has it, a duration in seconds ("1.5s").
 */
export function plainOf(value: unknown): Plain {
  if (value === null || typeof value !== 'object') return value as Plain
  if (isCelUint(value)) return value.value
  if (isCelList(value)) return Array.from(value, plainOf)
  if (isCelMap(value)) {
    // `request` and `identity` are only ever looked into.
    if (value.size === undefined) throw new EvaluationError('is no value by itself')
    const entries = Array.from(value, ([name, inner]) => [nameOf(name), plainOf(inner)] as const)
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
  }
  if (value instanceof Uint8Array) return base64Encode(value)
  if (isCelType(value)) return value.name
  const { desc, message } = value as { desc: DescMessage; message: Message }
  return toJson(desc, message) as Plain
}

function nameOf(name: unknown): string {
  return String(isCelUint(name) ? name.value : name)
}
