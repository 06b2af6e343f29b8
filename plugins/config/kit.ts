/**
 * What a concern's `schema.ts` is written with. A schema reads a value, and carries two types: what a user
 * writes (`Input`: units as text, defaults left out) and what plugins get (`Resolved`: milliseconds, bytes,
 * every default filled in). So type, default and check stand in one place.
 */

import { show } from './messages.ts'
import type { Place } from './place.ts'
import {
  asText,
  type Bounds,
  checkUpstream,
  type Remedy,
  readCustom,
  readList,
  readMeasure,
  readNumber,
  readObject,
  readRecord,
  readShorthand,
} from './read.ts'
import { suggestion } from './suggest.ts'
import type {
  AnySchema,
  Defaulted,
  Duration,
  InputObject,
  Optional,
  Properties,
  Read,
  ResolvedObject,
  Schema,
  Size,
  UpstreamName,
} from './typed.ts'
import { parseDuration, parseSize } from './units.ts'

function schema<I, R = I>(read: Read): Schema<I, R> {
  return { '~read': read }
}

export function text(options: Remedy & { pattern?: string; minLength?: 1 } = {}): Schema<string> {
  const pattern = options.pattern === undefined ? undefined : new RegExp(options.pattern, 'u')
  return schema((value, place) => {
    if (typeof value !== 'string') place.wants('text', value, options.remedy)
    else if (value === '' && options.minLength === 1) place.refuse('must not be empty', options.remedy)
    else if (pattern?.test(value) === false)
      place.refuse(`${show(value)} is not of the right form`, options.remedy)
    return value
  })
}

export function integer(options: Remedy & Bounds<number> = {}): Schema<number> {
  return schema(readNumber('a whole number', Number.isInteger, options))
}

export function decimal(options: Remedy & Bounds<number> = {}): Schema<number> {
  return schema(readNumber('a number', Number.isFinite, options))
}

export function flag(options: Remedy = {}): Schema<boolean> {
  return schema((value, place) => {
    if (typeof value !== 'boolean') place.wants('true or false', value, options.remedy)
    return value
  })
}

export function oneOf<const T extends string | number>(
  values: readonly T[],
  options: Remedy = {},
): Schema<T> {
  return schema((value, place) => {
    if (values.includes(value as T)) return value
    if (values.every((one) => typeof one === 'number'))
      place.wants(`one of ${values.join(', ')}`, value, options.remedy)
    else {
      const choices = suggestion(asText(value), values.map(String))
      place.refuse(`${show(value)} is not one of the choices; ${choices}`, options.remedy)
    }
    return value
  })
}

/**
 * `'250ms' | '2s' | '1m'`, or milliseconds. Read as milliseconds. At most 24 days unless `maximum` says otherwise, as it
 * may where no timer is set for it.
 */
export function duration({
  maximum = '24d',
  ...options
}: Remedy & Bounds<Duration> = {}): Schema<Duration, number> {
  const wanted = 'a duration like "250ms", "2s" or milliseconds'
  return schema(readMeasure(wanted, parseDuration, { maximum, ...options }))
}

/** `'64KiB'`, or bytes. Read as bytes. */
export function size(options: Remedy & Bounds<Size> = {}): Schema<Size, number> {
  return schema(readMeasure('a size like "64KiB", "10MiB" or bytes', parseSize, options))
}

/** The name of an upstream of this config. */
export function upstreamName(): Schema<UpstreamName, string> {
  return schema((value, place) => {
    checkUpstream(value, place)
    return value
  })
}

/**
 * A value of any other kind. `refuse` returns why the value is not one, or undefined. Where it throws, as a template
 * does over a symbol, the value is refused too.
 */
export function custom<I, R = I>(
  refuse: (value: unknown) => string | undefined,
  options: Remedy = {},
): Schema<I, R> {
  return schema(readCustom(refuse, options.remedy))
}

export function list<I, R>(item: Schema<I, R>, options: Remedy = {}): Schema<readonly I[], readonly R[]> {
  return schema(readList(item, 0, options))
}

/** Whether a list that was computed is empty, no type can tell: that it is, is said at the start. */
export function nonEmptyList<I, R>(
  item: Schema<I, R>,
  options: Remedy & { noun?: string } = {},
): Schema<readonly I[], readonly [R, ...R[]]> {
  return schema(readList(item, 1, options))
}

/** A list whose single entry may be written without the brackets. */
export function oneOrMore<I, R>(
  item: Schema<I, R>,
  options: Remedy & { noun?: string } = {},
): Schema<I | readonly I[], readonly [R, ...R[]]> {
  const read = readList(item, 1, options)
  return schema((value, place) => read(Array.isArray(value) ? value : [value], place))
}

export function record<I, R>(
  item: Schema<I, R>,
  { names, least = 0, remedy }: Remedy & { names?: string; least?: number } = {},
): Schema<Readonly<Record<string, I>>, Readonly<Record<string, R>>> {
  const form = names === undefined ? undefined : new RegExp(names, 'u')
  const checkName = (name: string, place: Place): void => {
    if (form?.test(name) === false)
      place.at(name).refuse('is not a good name', remedy ?? 'use letters, digits, "-", "_" and "."')
  }
  return schema(readRecord(item, checkName, least, remedy))
}

/** A record whose keys are names of upstreams of this config. */
export function byUpstream<I, R>(
  item: Schema<I, R>,
  { remedy }: Remedy = {},
): Schema<{ readonly '~byUpstream': I }, Readonly<Record<string, R>>> {
  return schema(readRecord(item, checkUpstream, 1, remedy))
}

/** @param options `open`: keys that are not among the properties are kept as they are */
export function object<const P extends Properties>(
  properties: P,
  { remedy, open = false }: Remedy & { open?: boolean } = {},
): Schema<InputObject<P>, ResolvedObject<P>> {
  return schema(readObject(properties, open, remedy))
}

/** An object that may be written as the bare value, or list, of one of its properties: `'random'` for `{ policy: 'random' }`. */
export function shorthand<I, R, K extends keyof I & string>(
  property: K,
  full: Schema<I, R>,
): Schema<I | I[K], R> {
  return schema(readShorthand(property, full))
}

type Switch = { readonly enabled: Defaulted<boolean> }

/** An object for which `true` stands, with its defaults, and `false`: either is its `enabled`. */
export function switchable<const P extends Properties>(
  properties: P,
): Schema<boolean | InputObject<Switch & P>, ResolvedObject<Switch & P>> {
  return schema(readShorthand('enabled', object({ enabled: withDefault(flag(), true), ...properties })))
}

export function optional<I, R>(inner: Schema<I, R>): Optional<I, R> {
  return { ...inner, '~optional': true }
}

export function withDefault<I, R>(inner: Schema<I, R>, value: I): Defaulted<I, R> {
  return { ...inner, '~optional': true, '~default': value }
}

/**
 * For what keeps somebody out or tells requests apart: written down, it may not be undefined, nor anything in it. Left
 * out for the lack of an environment variable, it would let in who was meant to stay outside.
 */
export function guarded<S extends AnySchema>(inner: S): S {
  return { ...inner, '~guarded': true }
}

/** An object that is there with all its defaults when it is left out. */
export function section<const P extends Properties>(
  properties: P,
  options: Remedy = {},
): Defaulted<InputObject<P>, ResolvedObject<P>> {
  return withDefault(object(properties, options), {} as InputObject<P>)
}
