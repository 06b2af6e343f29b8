import type { Input, InputObject, Resolved, ResolvedObject, UpstreamName } from './typed.ts'

/**
 * The keys that concerns add to the config, merged from their `schema.ts`:
 * `declare module '../config/define.ts' { interface RouteSchema { auth: typeof auth } }`.
 * A concern that is not there takes its keys away with it.
 */
export interface GatewaySchema {}
export interface UpstreamSchema {}
export interface TargetSchema {}
export interface RouteSchema {}

/** Where the schemas of these keys are found at run time: the export `schema` of a `schema.ts`. */
export interface SchemaModule {
  readonly gateway?: object
  readonly upstream?: object
  readonly target?: object
  readonly route?: object
}

type Opaque = RegExp | Uint8Array | ((...parameters: never[]) => unknown)
/** `T` with the names of this config's upstreams in the places where one is asked for. */
type Naming<T, Names extends string> = T extends UpstreamName
  ? Names
  : T extends { readonly '~byUpstream': infer V }
    ? { readonly [N in Names]?: V }
    : T extends Opaque | string | number | boolean | undefined | null
      ? T
      : { readonly [K in keyof T]: Naming<T[K], Names> }

export type TargetInput = InputObject<TargetSchema>
export type UpstreamInput<Names extends string = string> = Naming<
  InputObject<UpstreamSchema> & { readonly targets: readonly TargetInput[] },
  Names
>
export type RouteInput<Names extends string = string> = Naming<InputObject<RouteSchema>, Names>
export type GatewayInput<Names extends string = string> = Naming<
  InputObject<GatewaySchema>,
  NoInfer<Names>
> & {
  /** The services behind the gateway, by name. */
  readonly upstreams: { readonly [N in Names]: UpstreamInput<NoInfer<Names>> }
  /** What comes in, where it goes, what it demands. */
  readonly routes: readonly RouteInput<NoInfer<Names>>[]
}

export type TargetConfig = ResolvedObject<TargetSchema>
export type UpstreamConfig = ResolvedObject<UpstreamSchema> & { readonly targets: readonly TargetConfig[] }
export type RouteConfig = ResolvedObject<RouteSchema>
/** The config as plugins read it: units read, defaults filled in, frozen. */
export type GatewayConfig = ResolvedObject<GatewaySchema> & {
  readonly upstreams: Readonly<Record<string, UpstreamConfig>>
  readonly routes: readonly RouteConfig[]
}
export type { Input, Resolved }

/**
 * Gives a config its type: names of upstreams and balancers, tiers and every key are checked as you type.
 * It returns what it was given; values are checked and defaults filled in when the gateway starts.
 */
export function defineGateway<const Names extends string>(config: GatewayInput<Names>): GatewayInput<Names> {
  return config
}
