/** How the kit's schemas read values, apart from the types that they have. */
import { show } from './messages.ts'
import type { Place } from './place.ts'
import { isObject } from './plain.ts'
import { suggestion } from './suggest.ts'
import type { AnySchema, Properties, Read } from './typed.ts'

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

/** What "did you mean" compares with the names there are. */
export function asText(value: unknown): string {
  return typeof value === 'string' ? value : show(value)
}

/** Refuses what is no name of an upstream of this config. */
export function checkUpstream(value: unknown, place: Place): void {
  const names = place.upstreams()
  if (names.includes(value as string)) return
  place.refuse(`no upstream is named ${show(value)}; ${suggestion(asText(value), names)}`)
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
    return value.map((one, index) => item['~read'](one, place.at(index)))
  }
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
        const at = place.at(name)
        // Nothing stands in for an entry, and a condition that is none lets everybody through.
        if (one === undefined) at.refuseUndefined()
        return [name, one === undefined ? one : item['~read'](one, at)]
      }),
    )
  }
}

export function readShorthand(property: string, full: AnySchema): Read {
  return (value, place) => full['~read'](isObject(value) ? value : { [property]: value }, place)
}

/** A value of no kind that the kit knows: its plain objects without what is undefined in them. */
export function readAsIs(value: unknown, place: Place): unknown {
  if (Array.isArray(value)) return value.map((one, index) => readAsIs(one, place.at(index)))
  if (!isObject(value)) return value
  const entries = Object.entries(value).filter(([name, one]) => {
    if (one === undefined && place.guarded) place.at(name).refuseUndefined()
    return one !== undefined
  })
  return Object.fromEntries(entries.map(([name, one]) => [name, readAsIs(one, place.at(name))]))
}

export function readCustom(refuse: (value: unknown) => string | undefined, remedy?: string): Read {
  return (value, place) => {
    const plain = readAsIs(value, place)
    let message: string | undefined
    try {
      message = refuse(plain)
    } catch {
      message = `is ${show(value)}`
    }
    if (message !== undefined) place.refuse(message, remedy)
    return plain
  }
}

export function readObject(properties: Properties, open: boolean, remedy?: string): Read {
  return (value, place) => {
    if (!isObject(value)) {
      place.wants('an object', value, remedy)
      return value
    }
    const read = new Map<string, unknown>()
    for (const [name, one] of Object.entries(value)) {
      if (Object.hasOwn(properties, name)) continue
      const at = place.at(name)
      if (!open) at.refuse(`unknown key; ${suggestion(name, Object.keys(properties))}`)
      else if (one !== undefined) read.set(name, readAsIs(one, at))
      else if (at.guarded) at.refuseUndefined()
    }
    for (const [name, property] of Object.entries(properties)) {
      const at = place.at(name, place.guarded || property['~guarded'] === true)
      const given = Object.hasOwn(value, name) ? value[name] : undefined
      if (given !== undefined) read.set(name, property['~read'](given, at))
      else if (at.guarded && Object.hasOwn(value, name)) at.refuseUndefined()
      else if (property['~default'] !== undefined) read.set(name, property['~read'](property['~default'], at))
      else if (property['~optional'] === undefined) at.refuse('is required')
    }
    return Object.fromEntries(read)
  }
}
