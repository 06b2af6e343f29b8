/** What a schema of the kit tells the compiler. */
import type { Place } from './place.ts'

export type Duration = number | `${number}ms` | `${number}s` | `${number}m` | `${number}h` | `${number}d`
export type Size = number | `${number}B` | `${number}KiB` | `${number}MiB` | `${number}GiB`

/** Stands for the name of an upstream of this very config; `defineGateway` replaces it by the names there are. */
export interface UpstreamName {
  readonly '~upstream': true
}

/**
 * What plugins get for what a user wrote. It tells the place what is wrong, all of it, and then returns the value
 * as far as it could be read. What it was handed stays as it is.
 */
export type Read = (value: unknown, place: Place) => unknown

export interface Schema<I, R = I> {
  readonly '~input'?: I
  readonly '~resolved'?: R
  readonly '~read': Read
}
export interface Optional<I, R = I> extends Schema<I, R> {
  readonly '~optional': true
}
export interface Defaulted<I, R = I> extends Optional<I, R> {
  /** What is read where nothing was written. */
  readonly '~default': unknown
}
export type AnySchema = Schema<unknown, unknown> & {
  readonly '~optional'?: true
  readonly '~default'?: unknown
  readonly '~guarded'?: true
}
export type Properties = Readonly<Record<string, AnySchema>>

type InputOf<S> = S extends { readonly '~input'?: infer I } ? Exclude<I, undefined> : never
type ResolvedOf<S> = S extends { readonly '~resolved'?: infer R } ? Exclude<R, undefined> : never
type Flat<T> = { [K in keyof T]: T[K] }
type OptionalKeys<P> = { [K in keyof P]: P[K] extends { '~optional': true } ? K : never }[keyof P]
type AbsentKeys<P> = {
  [K in keyof P]: P[K] extends { '~default': unknown }
    ? never
    : P[K] extends { '~optional': true }
      ? K
      : never
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
