/** What expressions see of a request. Nothing is made before it is asked for. */
import { type CelInput, celList, celMap } from '@bufbuild/cel'
import { plainAddress } from '../config/addresses.ts'
import { normaliseHost } from '../config/host-name.ts'
import type { Identity } from '../upstreams/identity.ts'
import { EvaluationError } from './errors.ts'
import { QueryMap } from './query.ts'

/** A FastifyRequest is one. `url` is the canonical path and the query. */
export interface ExpressionRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly params: unknown
  readonly ip: string
  readonly protocol: string
  readonly identity: Identity | null
}

/** A value of JSON as CEL takes it. Numbers are doubles, as in every CEL that reads JSON. */
export function celOf(value: unknown): CelInput {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  if (value === null) return null
  if (Array.isArray(value)) return celList(value.map(celOf))
  if (typeof value === 'object') return celMap(new RecordMap(value as Record<string, unknown>, celOf))
  throw new EvaluationError(`a ${typeof value} is no value that an expression can use`)
}

/** The own properties of an object, read one by one. */
class RecordMap<T> implements ReadonlyMap<string, CelInput> {
  readonly #record: Readonly<Record<string, T | undefined>>
  readonly #read: (value: T) => CelInput

  constructor(record: Readonly<Record<string, T | undefined>>, read: (value: T) => CelInput) {
    this.#record = record
    this.#read = read
  }

  get size(): number {
    return this.#names().length
  }

  get(name: string): CelInput | undefined {
    if (!Object.hasOwn(this.#record, name)) return undefined
    const value = this.#record[name]
    return value === undefined ? undefined : this.#read(value)
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#record, name) && this.#record[name] !== undefined
  }

  keys(): MapIterator<string> {
    return this.#names().values()
  }

  *values(): MapIterator<CelInput> {
    for (const name of this.#names()) yield this.get(name) as CelInput
  }

  *entries(): MapIterator<[string, CelInput]> {
    for (const name of this.#names()) yield [name, this.get(name) as CelInput]
  }

  [Symbol.iterator](): MapIterator<[string, CelInput]> {
    return this.entries()
  }

  forEach(run: (value: CelInput, name: string, map: ReadonlyMap<string, CelInput>) => void): void {
    for (const [name, value] of this.entries()) run(value, name, this)
  }

  #names(): string[] {
    return Object.keys(this.#record).filter((name) => this.#record[name] !== undefined)
  }
}

const header = (value: string | string[]): string => (typeof value === 'string' ? value : value.join(', '))

function decodedParam(value: unknown): string {
  try {
    return decodeURIComponent(String(value))
  } catch {
    throw new EvaluationError('a parameter of the path is not percent-encoded UTF-8')
  }
}

function hostOf({ headers }: ExpressionRequest): string {
  return normaliseHost(header(headers['host'] ?? headers[':authority'] ?? ''))
}

/** @param time makes the timestamp of now */
function fieldOf(request: ExpressionRequest, name: string, time: () => CelInput): CelInput | undefined {
  const { url } = request
  const question = url.indexOf('?')
  switch (name) {
    case 'method':
      return request.method
    case 'path':
      return question < 0 ? url : url.slice(0, question)
    case 'host':
      return hostOf(request)
    case 'scheme':
      return request.protocol
    case 'ip':
      return plainAddress(request.ip)
    case 'headers':
      return celMap(new RecordMap(request.headers, header))
    case 'query':
      return celMap(new QueryMap(question < 0 ? '' : url.slice(question)))
    case 'params':
      return celMap(new RecordMap((request.params ?? {}) as Record<string, unknown>, decodedParam))
    case 'time':
      return time()
    default:
      return undefined
  }
}

function identityField(identity: Identity, name: string): CelInput | undefined {
  switch (name) {
    case 'id':
    case 'kind':
    case 'name':
    case 'consumer':
    case 'plan':
      return identity[name]
    case 'scopes':
    case 'roles':
      return celList(identity[name])
    case 'claims':
      return celOf(identity.claims)
    default:
      return undefined
  }
}

/** Fields that are made when asked for. Only ever looked into by name: an expression that walks over it is refused. */
class Fields implements Pick<ReadonlyMap<string, CelInput>, 'get'> {
  readonly #field: (name: string) => CelInput | undefined

  constructor(field: (name: string) => CelInput | undefined) {
    this.#field = field
  }

  get(name: string): CelInput | undefined {
    return this.#field(name)
  }
}

function fields(field: (name: string) => CelInput | undefined): CelInput {
  return celMap(new Fields(field) as unknown as ReadonlyMap<string, CelInput>)
}

/** The variables `request` and `identity` of an evaluation. */
export class Variables {
  readonly #request: ExpressionRequest
  readonly #time: () => CelInput

  constructor(request: ExpressionRequest, time: () => CelInput) {
    this.#request = request
    this.#time = time
  }

  get request(): CelInput {
    return fields((name) => fieldOf(this.#request, name, this.#time))
  }

  get identity(): CelInput {
    const { identity } = this.#request
    return identity === null ? null : fields((name) => identityField(identity, name))
  }
}
