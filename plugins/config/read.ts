/** How the kit's schemas read values, apart from the types that they have. */
import { show } from './messages.ts'
import type { Place } from './place.ts'
import { suggestion } from './suggest.ts'
import type { AnySchema, Read } from './typed.ts'

export interface Remedy {
  /** Ends the message when the value is refused: what to write instead. */
  remedy?: string
}

export interface Bounds<T> {
  minimum?: T
  maximum?: T
}

export function readNumber(
  wanted: string,
  is: (value: unknown) => boolean,
  { minimum, maximum, remedy }: Remedy & Bounds<number>,
): Read {
  return (value, place) => {
    if (!is(value)) place.wants(wanted, value, remedy)
    else if (minimum !== undefined && (value as number) < minimum)
      place.wants(`at least ${minimum}`, value, remedy)
    else if (maximum !== undefined && (value as number) > maximum)
      place.wants(`at most ${maximum}`, value, remedy)
    return value
  }
}

export function readMeasure(
  wanted: string,
  parse: (value: unknown) => number | undefined,
  options: Remedy & Bounds<string | number>,
): Read {
  const [minimum, maximum] = [parse(options.minimum), parse(options.maximum)]
  return (value, place) => {
    const parsed = parse(value)
    if (parsed === undefined) place.wants(wanted, value, options.remedy)
    else if (minimum !== undefined && parsed < minimum)
      place.wants(`at least ${options.minimum}`, value, options.remedy)
    else if (maximum !== undefined && parsed > maximum)
      place.wants(`at most ${options.maximum}`, value, options.remedy)
    return parsed ?? value
  }
}

/** Refuses what is no name of an upstream of this config. */
export function checkUpstream(value: unknown, place: Place): void {
  const names = place.upstreams()
  if (names.includes(value as string)) return
  place.refuse(`no upstream is named ${show(value)}; ${suggestion(String(value), names)}`)
}

export function readList(
  item: AnySchema,
  least: number,
  { noun = 'entry', remedy }: Remedy & { noun?: string },
): Read {
  return (value, place) => {
    if (!Array.isArray(value)) {
      place.wants('a list', value, remedy)
      return value
    }
    if (value.length < least) place.refuse(`needs at least one ${noun}`)
    for (const [index, one] of value.entries()) value[index] = item['~read'](one, place.at(index))
    return value
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function readRecord(
  item: AnySchema,
  checkName: (name: string, place: Place) => void,
  least: number,
  remedy?: string,
): Read {
  return (value, place) => {
    if (!isObject(value)) {
      place.wants('an object', value, remedy)
      return value
    }
    const entries = Object.entries(value)
    if (entries.length < least) place.refuse('needs at least one entry', remedy)
    // A name may be any text, "__proto__" as well: assigned to, that would be no entry.
    return Object.fromEntries(
      entries.map(([name, one]) => {
        checkName(name, place)
        return [name, item['~read'](one, place.at(name))]
      }),
    )
  }
}

export function readShorthand(property: string, full: AnySchema): Read {
  return (value, place) => full['~read'](isObject(value) ? value : { [property]: value }, place)
}
