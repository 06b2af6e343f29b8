/** Types as far as the checker follows them: what is `dyn` is only known when it runs. */
export interface Type {
  /** CEL's name of it; `request` and `identity` for the two that are no values by themselves. */
  readonly kind: string
  /** Of the elements of a list or the values of a map. */
  readonly of?: Type
  /** The only fields there are. */
  readonly fields?: Readonly<Record<string, Type>>
  /** Keys are in lower case. */
  readonly lowerCase?: true
  /** May be null besides. */
  readonly nullable?: true
}

export const DYN: Type = { kind: 'dyn' }
export const BOOL: Type = { kind: 'bool' }
const STRING: Type = { kind: 'string' }
const STRINGS: Type = { kind: 'map', of: STRING }

const REQUEST: Type = {
  kind: 'request',
  fields: {
    method: STRING,
    path: STRING,
    host: STRING,
    scheme: STRING,
    ip: STRING,
    headers: { ...STRINGS, lowerCase: true },
    query: STRINGS,
    params: STRINGS,
    time: { kind: 'google.protobuf.Timestamp' },
  },
}

const IDENTITY: Type = {
  kind: 'identity',
  nullable: true,
  fields: {
    id: STRING,
    kind: STRING,
    name: STRING,
    consumer: STRING,
    plan: STRING,
    scopes: { kind: 'list', of: STRING },
    roles: { kind: 'list', of: STRING },
    claims: { kind: 'map', of: DYN },
  },
}

/** The variables that every expression has. */
export const VARIABLES: Readonly<Record<string, Type>> = { request: REQUEST, identity: IDENTITY }

/** Names that stand for types: `type(x) == string`. */
export const TYPE_NAMES: ReadonlySet<string> = new Set([
  'bool',
  'bytes',
  'double',
  'int',
  'list',
  'map',
  'null_type',
  'string',
  'type',
  'uint',
])

const NUMBERS: ReadonlySet<string> = new Set(['double', 'int', 'uint'])

/** Whether a value of the one type can be handed where the other is wanted. */
export function fits(given: Type, wanted: string): boolean {
  return given.kind === 'dyn' || wanted === 'dyn' || given.kind === wanted
}

/** Whether values of these two types can be equal at all. */
export function comparable(a: Type, b: Type): boolean {
  if (a.kind === 'dyn' || b.kind === 'dyn' || a.kind === b.kind) return true
  if (NUMBERS.has(a.kind) && NUMBERS.has(b.kind)) return true
  return (a.nullable === true && b.kind === 'null_type') || (b.nullable === true && a.kind === 'null_type')
}
