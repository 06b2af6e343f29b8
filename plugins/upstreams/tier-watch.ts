import type { UpstreamEvent } from './events.ts'
import type { Snapshot } from './snapshot.ts'

const percent = (share: number): string => `${Math.round(share * 100)} %`

/** Tells of tiers that spill over and of panic, each once when it begins and once when it ends. */
export class TierWatch {
  readonly #upstream: string
  readonly #announce: (event: UpstreamEvent) => void
  #spilled = false
  #panic = false

  constructor(upstream: string, announce: (event: UpstreamEvent) => void) {
    this.#upstream = upstream
    this.#announce = announce
  }

  look({ shares, panic }: Pick<Snapshot, 'shares' | 'panic'>): void {
    const carried = shares.map((share, tier) => `tier ${tier} ${percent(share)}`).join(', ')
    const spilled = shares.slice(1).some((share) => share > 0)
    if (spilled !== this.#spilled) {
      this.#spilled = spilled
      this.#tell(spilled ? 'spilled' : 'restored', spilled, `the traffic goes to ${carried}`)
    }
    if (panic.length > 0 !== this.#panic) {
      this.#panic = panic.length > 0
      const why = this.#panic
        ? `too few targets are left in tier ${panic.join(', ')}: unhealthy ones are used too`
        : 'enough targets are left again'
      this.#tell(this.#panic ? 'panic' : 'calm', this.#panic, why)
    }
  }

  #tell(name: string, worse: boolean, why: string): void {
    this.#announce({ name, upstream: this.#upstream, by: 'upstreams', why, level: worse ? 'warn' : 'info' })
  }
}
