/**
 * What a pick costs: nanoseconds and bytes on the heap with 3 and with 10,000 targets, for every balancer that there
 * is. `node --expose-gc bench/pick.ts [--only p2c,prequal] [--picks 400000] [--rounds 7]`
 *
 * Each pick is followed by what the registry does: the target has one request more, and another one ends with an
 * answer, of which the balancer hears in a loop of its own, not timed.
 */

import { parseArgs } from 'node:util'
import { messageOf } from '../plugins/config/messages.ts'
import type { DefinedBalancer } from '../plugins/upstreams/balancers.ts'
import type { Balancer, Candidates, Outcome } from '../plugins/upstreams/contract.ts'
import { TargetState } from '../plugins/upstreams/target.ts'
import { buildGateway } from '../test/support/gateway.ts'

const FEW = 3
const MANY = 10_000
const GOAL = 3

/** Options of those that need some, and further ones of interest. */
const VARIANTS: readonly (readonly [name: string, options: object])[] = [
  ['p2c', { load: 'inflight' }],
  ['p2c', { load: 'ewma' }],
]

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    picks: { type: 'string', default: '400000' },
    rounds: { type: 'string', default: '7' },
  },
})
const picks = Number(values.picks)
const rounds = Number(values.rounds)
const gc = (globalThis as { gc?: () => void }).gc

const context = { now: () => performance.now(), random: () => Math.random() }
const ANSWER: Outcome = { kind: 'answered', status: 200, latencyMs: 12 }
const REPORTING: Outcome = { ...ANSWER, loadReport: 'TEXT cpu_utilization=0.4,rps_fractional=50' }
/** Requests differ in their key. */
const REQUESTS = Array.from({ length: 4096 }, (_, i) => ({
  key: `user-${(i * 2654435761) % 1_000_003}`,
  repeatable: true,
  tried: new Set<never>(),
}))

class Run {
  readonly balancer: Balancer
  readonly candidates: Candidates
  readonly #under: TargetState[] = []
  #turn = 0

  constructor(balancer: DefinedBalancer, options: object, count: number, even: boolean) {
    this.balancer = balancer.create(context, options)
    this.candidates = Array.from({ length: count }, (_, i) => {
      const origin = `http://10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:8080`
      return new TargetState('bench', { origin, weight: even ? 1 : 1 + (i % 5), tier: 0, zone: '' })
    }) as unknown as Candidates
    this.balancer.onTargets?.(this.candidates)
    // Every target has answered, as in a gateway that runs for a while, and one in three has something to do.
    for (const [i, target] of (this.candidates as unknown as TargetState[]).entries()) {
      this.balancer.onOutcome?.(target, i % 2 === 0 ? ANSWER : REPORTING)
      if (i % 3 !== 0) continue
      target.inflight++
      this.#under.push(target)
    }
  }

  /** Nanoseconds a pick. */
  time(): number {
    const { balancer, candidates } = this
    const under = this.#under
    const from = process.hrtime.bigint()
    for (let i = 0; i < picks; i++) {
      const target = balancer.pick(candidates, REQUESTS[i & 4095] as never) as TargetState
      target.inflight++
      const turn = this.#turn
      ;(under[turn] as TargetState).inflight--
      under[turn] = target
      this.#turn = turn + 1 === under.length ? 0 : turn + 1
    }
    const took = Number(process.hrtime.bigint() - from) / picks
    for (let i = 0; i < 1000; i++) balancer.onOutcome?.(under[i % under.length] as TargetState, ANSWER)
    return took
  }

  /** Bytes that a pick leaves on the heap. */
  bytes(): number {
    gc?.()
    const { balancer, candidates } = this
    const few = Math.min(picks, 50_000)
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < few; i++) balancer.pick(candidates, REQUESTS[i & 4095] as never)
    return Math.max(0, process.memoryUsage().heapUsed - before) / few
  }
}

function median(list: readonly number[]): number {
  return list.toSorted((a, b) => a - b)[list.length >> 1] as number
}

const app = await buildGateway({ upstreams: {}, routes: [] })
const balancers = app.upstreams.balancers
const only = values.only?.split(',')
const wanted = [...[...balancers.keys()].map((name) => [name, {}] as const), ...VARIANTS].filter(
  ([name]) => only === undefined || only.includes(name),
)

const row = (...cells: readonly string[]): string =>
  `${(cells[0] as string).padEnd(32)}${cells
    .slice(1)
    .map((cell) => cell.padStart(10))
    .join('')}`
console.log(row('ns a pick (median)', `${FEW}`, `${MANY}`, 'ratio', `B, ${FEW}`, `B, ${MANY}`))
for (const even of [true, false]) {
  console.log(even ? '\nequal weights' : '\nweights 1 to 5')
  for (const [name, options] of wanted) {
    const text = `${name} ${Object.values(options).join(' ')}`
    try {
      const balancer = balancers.get(name) as DefinedBalancer
      const few = new Run(balancer, options, FEW, even)
      const many = new Run(balancer, options, MANY, even)
      const ratios: number[] = []
      const times: [number[], number[]] = [[], []]
      for (let round = -2; round < rounds; round++) {
        const a = few.time()
        const b = many.time()
        if (round < 0) continue
        times[0].push(a)
        times[1].push(b)
        ratios.push(b / a)
      }
      const ratio = median(ratios)
      console.log(
        row(
          text,
          median(times[0]).toFixed(1),
          median(times[1]).toFixed(1),
          `${ratio.toFixed(2)}${ratio > GOAL ? ' !' : ''}`,
          few.bytes().toFixed(1),
          many.bytes().toFixed(1),
        ),
      )
    } catch (error) {
      console.log(`${text.padEnd(32)}  needs options: ${messageOf(error)}`)
    }
  }
}
await app.close()
