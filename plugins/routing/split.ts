type Shares = Readonly<Record<string, number>>

/** Which upstream a route's next request goes to: by shares that may be changed while it runs. */
export class Split {
  readonly #configured: Shares
  readonly #random: () => number
  #entries: readonly (readonly [string, number])[] = []
  #total = 0
  #parts: ReadonlyMap<string, number> = new Map()

  /**
   * @param configured at least one is above 0
   * @param random uniform in [0, 1)
   */
  constructor(configured: Shares, random: () => number) {
    this.#configured = configured
    this.#random = random
    this.set(undefined)
  }

  /** For all requests from now on; undefined goes back to what is configured. Throws if no share is above 0. */
  set(shares: Shares | undefined): void {
    const entries = Object.entries(shares ?? this.#configured)
    const wrong = entries.find(([, share]) => !(share >= 0 && Number.isFinite(share)))
    if (wrong !== undefined)
      throw new RangeError(`the share of "${wrong[0]}" must be 0 or more, is ${wrong[1]}`)
    const used = entries.filter(([, share]) => share > 0)
    if (used.length === 0) throw new RangeError('a split needs a share above 0')
    this.#entries = used
    const total = used.reduce((sum, [, share]) => sum + share, 0)
    this.#total = total
    this.#parts = new Map(used.map(([name, share]) => [name, share / total]))
  }

  /** Parts of the whole that go to each upstream now. */
  get parts(): ReadonlyMap<string, number> {
    return this.#parts
  }

  choose(): string {
    const entries = this.#entries
    const [first] = entries as [readonly [string, number]]
    if (entries.length === 1) return first[0]
    let dice = this.#random() * this.#total
    for (const [name, share] of entries) {
      dice -= share
      if (dice < 0) return name
    }
    return (entries.at(-1) as readonly [string, number])[0]
  }
}

const NOTHING: ReadonlyMap<string, number> = new Map()

/** The splits of a gateway's routes, by name. Routes of one name are changed together. */
export class Splits {
  readonly #byRoute = new Map<string, Split[]>()
  /** By the route's own config, since several may have one name. */
  readonly #byConfig = new Map<object, Split>()
  /** What was last set, by route. */
  readonly #set = new Map<string, { readonly shares: Shares | undefined }>()
  readonly #upstreams: ReadonlyMap<string, unknown>

  /** @param upstreams those there are, by name */
  constructor(upstreams: ReadonlyMap<string, unknown>) {
    this.#upstreams = upstreams
  }

  /** To be called once for each route that forwards. */
  add(
    route: string,
    config: { upstream?: string | undefined; split?: Shares | undefined },
    random: () => number,
  ): Split {
    const { upstream, split } = config
    const one = new Split(split ?? { [upstream as string]: 1 }, random)
    this.#byRoute.set(route, [...(this.#byRoute.get(route) ?? []), one])
    this.#byConfig.set(config, one)
    return one
  }

  /** Parts of the whole that go to each upstream now; none of a route that forwards nothing. */
  partsOf(config: object): ReadonlyMap<string, number> {
    return this.#byConfig.get(config)?.parts ?? NOTHING
  }

  /**
   * Throws if there is no such route, if it forwards nothing, if an upstream is unknown or no share is above 0.
   * @returns what goes back to how it was before, unless it has been set anew since: then it returns false
   */
  set(route: string, shares: Shares | undefined): () => boolean {
    for (const one of this.of(route)) {
      const unknown = Object.keys(shares ?? {}).find((name) => !this.#upstreams.has(name))
      if (unknown !== undefined) throw new RangeError(`no upstream is named "${unknown}"`)
      one.set(shares)
    }
    const before = this.#set.get(route)?.shares
    const present = { shares }
    this.#set.set(route, present)
    return () => {
      if (this.#set.get(route) !== present) return false
      this.set(route, before)
      return true
    }
  }

  of(route: string): readonly Split[] {
    const splits = this.#byRoute.get(route)
    if (splits === undefined) throw new RangeError(`no route that forwards is named "${route}"`)
    return splits
  }
}
