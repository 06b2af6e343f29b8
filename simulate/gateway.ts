import { object } from '../plugins/config/kit.ts'
import { read } from '../plugins/config/validate.ts'
import type { DefinedBalancer } from '../plugins/upstreams/balancers.ts'
import type {
  Lease,
  LeaseRefusal,
  LeaseRequest,
  PolicyContext,
  Target,
  Upstream,
} from '../plugins/upstreams/contract.ts'
import { Registry } from '../plugins/upstreams/registry.ts'
import { schema } from '../plugins/upstreams/schema.ts'
import type { Fleet, PolicyChoice } from './fleet.ts'

export type Balancers = ReadonlyMap<string, DefinedBalancer>

const NAME = 'fleet'
const { panicThreshold, failBackAfter } = schema.upstream
/** How tiers spill over and when there is panic: the config's defaults. */
const TIERS = read(object({ panicThreshold, failBackAfter }), {})

function originOf(number: number): string {
  return `http://10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}:8080`
}

/** One gateway in front of the fleet: the real registry and the real policy, under the run's clock and dice. */
export class Gateway {
  readonly #registry: Registry
  readonly #upstream: Upstream
  readonly #targets: readonly Target[]
  readonly #numbers: ReadonlyMap<Target, number>
  readonly #down = new Set<Target>()

  constructor(fleet: Fleet, balancers: Balancers, choice: PolicyChoice, context: PolicyContext) {
    const groups = fleet.targets.flatMap((group) => new Array<typeof group>(group.count).fill(group))
    const targets = groups.map(({ weight = 1, tier = 0, zone = '' }, number) => ({
      origin: originOf(number),
      weight,
      tier,
      zone,
    }))
    const capacity = fleet.limit ?? 384
    this.#registry = new Registry(context, { [NAME]: { targets, capacity, ...TIERS } })
    for (const [name, balancer] of balancers) this.#registry.balancers.set(name, balancer)
    this.#upstream = this.#registry.upstream(NAME)
    this.#targets = this.#upstream.targets
    this.#numbers = new Map(this.#targets.map((target, number) => [target, number]))
    if (fleet.health !== undefined) {
      this.#registry.addHealthSource({ name: 'checks', allows: (target) => !this.#down.has(target) })
    }
    this.balance(choice)
  }

  balance(choice: PolicyChoice): void {
    const { policy, ...options } = typeof choice === 'string' ? { policy: choice } : choice
    this.#registry.balance(NAME, policy, options)
  }

  lease(request: LeaseRequest): Lease | LeaseRefusal {
    return this.#upstream.lease(request)
  }

  numberOf(target: Target): number {
    return this.#numbers.get(target) as number
  }

  setDown(number: number, down: boolean): void {
    const target = this.#targets[number] as Target
    if (down) this.#down.add(target)
    else this.#down.delete(target)
    this.#registry.changed(target)
  }

  /** Attempts under way, as the registry counts them. */
  get inflight(): number {
    return this.#targets.reduce((sum, { inflight }) => sum + inflight, 0)
  }

  /** The most attempts that one target has under way. */
  get mostInflight(): number {
    return this.#targets.reduce((most, { inflight }) => Math.max(most, inflight), 0)
  }
}
