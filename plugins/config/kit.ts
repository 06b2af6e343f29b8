/**
 * What a concern's `schema.ts` is written with. A schema is a TypeBox (JSON) schema that also carries two
 * types: what a user writes (`Input`: units as text, defaults left out) and what plugins read (`Resolved`:
 * milliseconds, bytes, every default filled in). So type, default, check and description stand in one place.
 */
import Type, { type TSchema } from 'typebox'

export type Duration = number | `${number}ms` | `${number}s` | `${number}m` | `${number}h` | `${number}d`
export type Size = number | `${number}B` | `${number}KiB` | `${number}MiB` | `${number}GiB`

/** Stands for the name of an upstream of this very config; `defineGateway` replaces it by the names there are. */
export interface UpstreamName {
  readonly '~upstream': true
}

export interface Schema<I, R = I> {
  readonly '~input'?: I
  readonly '~resolved'?: R
  readonly '~json': TSchema
}
export interface Optional<I, R = I> extends Schema<I, R> {
  readonly '~optional': true
}
export interface Defaulted<I, R = I> extends Optional<I, R> {
  readonly '~default': true
}
type AnySchema = Schema<unknown, unknown>
export type Properties = Readonly<Record<string, AnySchema>>

type InputOf<S> = S extends { readonly '~input'?: infer I } ? Exclude<I, undefined> : never
type ResolvedOf<S> = S extends { readonly '~resolved'?: infer R } ? Exclude<R, undefined> : never
type Flat<T> = { [K in keyof T]: T[K] }
type OptionalKeys<P> = { [K in keyof P]: P[K] extends { '~optional': true } ? K : never }[keyof P]
type AbsentKeys<P> = {
  [K in keyof P]: P[K] extends { '~default': true } ? never : P[K] extends { '~optional': true } ? K : never
}[keyof P]

/** What a user may write for an object of these properties. */
export type InputObject<P> = Flat<
  { readonly [K in Exclude<keyof P, OptionalKeys<P>>]: InputOf<P[K]> } & {
    readonly [K in OptionalKeys<P>]?: InputOf<P[K]> | undefined
  }
>
/** What plugins read of it. */
export type ResolvedObject<P> = Flat<
  { readonly [K in Exclude<keyof P, AbsentKeys<P>>]: ResolvedOf<P[K]> } & {
    readonly [K in AbsentKeys<P>]?: ResolvedOf<P[K]>
  }
>
export type Input<S> = InputOf<S>
export type Resolved<S> = ResolvedOf<S>

type Texts = {
  /** Shows in the docs. */
  description?: string
  /** Ends the message when the value is refused: what to write instead. */
  remedy?: string
}

function schema<I, R = I>(json: TSchema): Schema<I, R> {
  return { '~json': json }
}

export function text(options: Texts & { pattern?: string; minLength?: number } = {}): Schema<string> {
  return schema(Type.Unsafe({ type: 'string', ...options }))
}

export function integer(options: Texts & { minimum?: number; maximum?: number } = {}): Schema<number> {
  return schema(Type.Unsafe({ type: 'integer', ...options }))
}

export function decimal(options: Texts & { minimum?: number; maximum?: number } = {}): Schema<number> {
  return schema(Type.Unsafe({ type: 'number', ...options }))
}

export function flag(options: Texts = {}): Schema<boolean> {
  return schema(Type.Unsafe({ type: 'boolean', ...options }))
}

export function oneOf<const T extends string | number>(values: readonly T[], options: Texts = {}): Schema<T> {
  return schema(Type.Unsafe<T>({ enum: values, ...options }))
}

/** `'250ms' | '2s' | '1m'`, or milliseconds. Read as milliseconds. */
export function duration(
  options: Texts & { minimum?: Duration; maximum?: Duration } = {},
): Schema<Duration, number> {
  const { minimum, maximum, ...texts } = options
  return schema(Type.Unsafe({ duration: { minimum, maximum }, ...texts }))
}

/** `'64KiB'`, or bytes. Read as bytes. */
export function size(options: Texts & { minimum?: Size; maximum?: Size } = {}): Schema<Size, number> {
  const { minimum, maximum, ...texts } = options
  return schema(Type.Unsafe({ size: { minimum, maximum }, ...texts }))
}

/** The name of an upstream of this config. */
export function upstreamName(options: Texts = {}): Schema<UpstreamName, string> {
  return schema(Type.Unsafe({ upstreamName: true, ...options }))
}

/** A value that JSON Schema cannot describe. `refuse` returns why the value is not one, or undefined. */
export function custom<I, R = I>(
  refuse: (value: unknown) => string | undefined,
  options: Texts = {},
): Schema<I, R> {
  return schema(Type.Unsafe({ custom: refuse, ...options }))
}

export function list<I, R>(item: Schema<I, R>, options: Texts = {}): Schema<readonly I[], readonly R[]> {
  return schema(Type.Unsafe({ type: 'array', items: item['~json'], ...options }))
}

export function nonEmptyList<I, R>(
  item: Schema<I, R>,
  options: Texts & { noun?: string } = {},
): Schema<readonly [I, ...I[]], readonly [R, ...R[]]> {
  return schema(Type.Unsafe({ type: 'array', items: item['~json'], minItems: 1, ...options }))
}

/** A list whose single entry may be written without the brackets. */
export function oneOrMore<I, R>(
  item: Schema<I, R>,
  options: Texts & { noun?: string } = {},
): Schema<I | readonly [I, ...I[]], readonly [R, ...R[]]> {
  return schema(Type.Unsafe({ allOf: [{ listed: true }, nonEmptyList(item, options)['~json']] }))
}

export function record<I, R>(
  value: Schema<I, R>,
  options: Texts & { names?: string } = {},
): Schema<Readonly<Record<string, I>>, Readonly<Record<string, R>>> {
  const { names, ...rest } = options
  return schema(
    Type.Unsafe({
      type: 'object',
      additionalProperties: value['~json'],
      ...(names === undefined ? {} : { propertyNames: { pattern: names } }),
      ...rest,
    }),
  )
}

/** A record whose keys are names of upstreams of this config. */
export function byUpstream<I, R>(
  value: Schema<I, R>,
  options: Texts = {},
): Schema<{ readonly '~byUpstream': I }, Readonly<Record<string, R>>> {
  return schema(
    Type.Unsafe({
      type: 'object',
      minProperties: 1,
      propertyNames: { upstreamName: true },
      additionalProperties: value['~json'],
      ...options,
    }),
  )
}

export function object<const P extends Properties>(
  properties: P,
  options: Texts = {},
): Schema<InputObject<P>, ResolvedObject<P>> {
  const required = Object.keys(properties).filter((name) => !('~optional' in (properties[name] as object)))
  const json = Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, value['~json']]))
  return schema(
    Type.Unsafe({ type: 'object', properties: json, required, additionalProperties: false, ...options }),
  )
}

/** An object that may be written as the bare value, or list, of one of its properties: `'random'` for `{ policy: 'random' }`. */
export function shorthand<I, R, K extends keyof I & string>(
  property: K,
  full: Schema<I, R>,
): Schema<I | I[K], R> {
  return schema(Type.Unsafe({ allOf: [{ shorthand: property }, full['~json']] }))
}

export function optional<I, R>(inner: Schema<I, R>): Optional<I, R> {
  return { ...inner, '~optional': true }
}

export function withDefault<I, R>(inner: Schema<I, R>, value: I): Defaulted<I, R> {
  return { '~json': { ...inner['~json'], default: value }, '~optional': true, '~default': true }
}

/** An object that is there with all its defaults when it is left out. */
export function section<const P extends Properties>(
  properties: P,
  options: Texts = {},
): Defaulted<InputObject<P>, ResolvedObject<P>> {
  const inner = object(properties, options)
  return { '~json': { ...inner['~json'], default: {} }, '~optional': true, '~default': true }
}
