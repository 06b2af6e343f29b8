/** Who is told of what, when, and what becomes of it where it cannot be delivered: in virtual time. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { AlertState } from '../../plugins/alerts/engine/alert.ts'
import type { PostedAlert } from '../../plugins/alerts/notify/alertmanager.ts'
import type { Delivered } from '../../plugins/alerts/notify/delivery.ts'
import type { Notification } from '../../plugins/alerts/notify/notification.ts'
import { type Receiver, receiversOf } from '../../plugins/alerts/notify/receivers.ts'
import { compileRules } from '../../plugins/alerts/rules/compile.ts'
import { seededDice } from '../support/dice.ts'
import { alertsOf } from './support.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const OK: Delivered = { ok: true }
const DOWN: Delivered = { ok: false, why: 'down' }

/** Alerts by their names, somebody who is told of them, and a clock. Rounds of rules are no matter here. */
class World {
  now = 0
  readonly alerts: Readonly<Record<string, AlertState>>
  readonly receiver: Receiver
  /** What was posted, as "seconds: firing those; resolved those", and what became of it. */
  readonly log: string[] = []
  readonly tries: number[] = []
  readonly fates: string[] = []
  answer: (names: readonly string[]) => Delivered | Promise<Delivered> = () => OK
  silenced: (name: string) => boolean = () => false
  #due: { at: number; run: () => void }[] = []

  constructor(rules: readonly (string | { name: string })[], options: object = {}, notify: object = {}) {
    const config = alertsOf({
      rules: rules.map((rule) => ({ panic: true, ...(typeof rule === 'string' ? { name: rule } : rule) })),
      notify: [{ webhook: 'http://hook/', ...notify }],
      ...options,
    })
    const instance = () => 'gateway:1'
    this.alerts = Object.fromEntries(
      compileRules(config.rules).map((rule) => [rule.name, new AlertState(rule, instance)]),
    )
    const [receiver] = receiversOf(config, {
      now: () => this.now,
      timeOfDay: () => 1_700_000_000_000 + this.now,
      random: seededDice(3),
      written: (time) => new Date(time).toISOString(),
      silenced: ({ rule }) => this.silenced(rule.name),
      after: (ms, run) => {
        const one = { at: this.now + ms, run }
        this.#due.push(one)
        return () => {
          this.#due = this.#due.filter((other) => other !== one)
        }
      },
      post: (_url, body) => Promise.resolve(this.#posted(body as Notification | PostedAlert[])),
      log: () => {},
      call: async () => OK,
      told: (_receiver, result, why) => void this.fates.push(why === '' ? result : `${result}: ${why}`),
    })
    this.receiver = receiver as Receiver
  }

  #posted(body: Notification | PostedAlert[]): Delivered | Promise<Delivered> {
    const end = new Date(1_700_000_000_000 + this.now).toISOString()
    const all = Array.isArray(body)
      ? body.map(({ labels, endsAt }) => ({ labels, status: endsAt > end ? 'firing' : 'resolved' }))
      : body.alerts
    const names = (wanted: string): string =>
      all
        .filter(({ status }) => status === wanted)
        .map(({ labels }) => labels['alertname'])
        .join(',')
    this.log.push(`${this.now / SECOND}: ${names('firing')}; ${names('resolved')}`)
    this.tries.push(this.now)
    return this.answer(all.map(({ labels }) => labels['alertname'] as string))
  }

  change(kind: 'fired' | 'resolved', ...names: string[]): void {
    for (const name of names) {
      const alert = this.alerts[name] as AlertState
      alert.next(kind === 'fired' ? 1 : false, this.now, this.now, true)
      this.receiver.hear({ kind, alert }, this.now)
    }
    this.receiver.wake()
  }

  /** Nothing calls upon the receiver meanwhile. */
  async pass(ms: number): Promise<void> {
    for (const stop = this.now + ms; ; ) {
      await this.settle()
      const next = this.#due.toSorted((a, b) => a.at - b.at)[0]
      if (next === undefined || next.at > stop) {
        this.now = stop
        return
      }
      this.now = next.at
      this.#due = this.#due.filter((one) => one !== next)
      next.run()
    }
  }

  /** Until nothing goes on any more without time passing. */
  async settle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
  }

  get count(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      ['delivered', 'failed', 'dropped'].map((result) => [
        result,
        this.fates.filter((fate) => fate.startsWith(result)).length,
      ]),
    )
  }
}

const TOGETHER = { groupBy: ['severity'] }

describe('groups: who is told of what, and when', () => {
  it('the first waits for others, they are told of once and together, and again when they are resolved', async () => {
    const world = new World(['a', 'b'], TOGETHER)
    world.change('fired', 'a')
    await world.pass(5 * SECOND)
    world.change('fired', 'b')
    await world.pass(120 * MINUTE)
    assert.deepEqual(world.log, ['10: a,b; '])
    world.change('resolved', 'a')
    await world.pass(2 * MINUTE)
    world.change('resolved', 'b')
    await world.pass(999 * MINUTE)
    assert.deepEqual(world.log, ['10: a,b; ', '7210: b; a', '7330: ; b'])
  })

  it('another severity is another group; something new in a group waits for its interval', async () => {
    const world = new World(['a', { name: 'b', severity: 'critical' } as { name: string }, 'c'], TOGETHER)
    world.change('fired', 'a', 'b')
    await world.pass(11 * SECOND)
    world.change('fired', 'c')
    await world.pass(10 * MINUTE)
    assert.deepEqual(world.log, ['10: a; ', '10: b; ', '70: a,c; '])
  })

  it('what goes on is repeated', async () => {
    const world = new World(['a'])
    world.change('fired', 'a')
    await world.pass(24 * 60 * MINUTE)
    assert.deepEqual(
      world.tries.map((at) => at / SECOND),
      [0, 1, 2, 3, 4, 5].map((i) => 10 + i * 4 * 3600),
    )
  })

  it('a wait of a second, and repetition every two, took as long as the rules were not evaluated', async () => {
    const world = new World(['a'], { evaluateEvery: '10s', groupWait: '1s', repeatEvery: '2s' })
    world.change('fired', 'a')
    await world.pass(8 * SECOND)
    assert.deepEqual(world.tries, [1000, 3000, 5000, 7000])
  })

  it('what ended before anyone was told is not told of', async () => {
    const world = new World(['a'])
    world.change('fired', 'a')
    world.change('resolved', 'a')
    await world.pass(MINUTE)
    assert.deepEqual(world.log, [])
  })

  it('silenced, it is not told of; once the silence is over it is; that it has ended is told all the same', async () => {
    const world = new World(['a'])
    world.silenced = () => true
    world.change('fired', 'a')
    await world.pass(MINUTE)
    world.silenced = () => false
    await world.pass(MINUTE)
    world.silenced = () => true
    world.change('resolved', 'a')
    await world.pass(MINUTE)
    assert.deepEqual(world.log, ['70: a; ', '130: ; a'])
  })

  it('who wants no ends is told of none, and of what fires anew', async () => {
    const world = new World(['a'], {}, { resolved: false })
    for (let i = 0; i < 2; i++) {
      world.change('fired', 'a')
      await world.pass(MINUTE)
      world.change('resolved', 'a')
      await world.pass(10 * MINUTE)
    }
    assert.equal(world.log.length, 2)
    assert.ok(world.log.every((line) => line.endsWith(': a; ')))
  })

  it('every alert that is told to fire is told to be resolved, and none twice, whatever fails (property)', async () => {
    const names = ['a0', 'a1', 'a2', 'a3']
    const step = fc.record({
      which: fc.nat(3),
      fires: fc.boolean(),
      quiet: fc.boolean(),
      down: fc.boolean(),
      gap: fc.integer({ min: 1, max: 90_000 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const world = new World(names, TOGETHER)
        const believed = new Set<string>()
        let seen = 0
        let down = false
        world.answer = () => (down ? DOWN : OK)
        const hear = (): void => {
          const got = world.fates.map((fate, i) => (fate === 'delivered' ? (world.log[i] as string) : ''))
          for (const line of got.slice(seen)) {
            if (line === '') continue
            const [, firing = '', resolved = ''] = /: (.*); (.*)$/.exec(line) ?? []
            for (const name of firing.split(',')) if (name !== '') believed.add(name)
            for (const name of resolved.split(','))
              if (name !== '') assert.ok(believed.delete(name), `${name} is over, but was never told to fire`)
          }
          seen = got.length
        }
        for (const { which, fires, quiet, down: fails, gap } of steps) {
          const name = names[which] as string
          await world.pass(gap)
          hear()
          down = fails
          world.silenced = () => quiet
          const firing = world.alerts[name]?.state === 'firing'
          if (fires !== firing) world.change(fires ? 'fired' : 'resolved', name)
        }
        down = false
        world.silenced = () => false
        await world.pass(10 * MINUTE)
        hear()
        assert.deepEqual(believed, new Set(names.filter((name) => world.alerts[name]?.state === 'firing')))
      }),
      { numRuns: 300 },
    )
  })
})

describe('delivery', () => {
  const AT_ONCE = { groupWait: 0 }

  it('who was told of all there is was said to wait, whenever it was time to look again', async () => {
    const world = new World(['a'], AT_ONCE)
    world.change('fired', 'a')
    await world.settle()
    assert.equal(world.count['delivered'], 1)
    // The timer is late.
    world.now += 60 * MINUTE
    assert.equal(world.receiver.waiting, 0)
  })

  it('an outage of an hour silenced an alert for four: it is told of when the receiver is back, as things are then', async () => {
    const world = new World(['a', 'b', 'c'], { ...AT_ONCE, ...TOGETHER })
    world.answer = () => DOWN
    world.change('fired', 'a', 'b')
    await world.pass(30 * MINUTE)
    world.change('resolved', 'b')
    world.change('fired', 'c')
    await world.pass(30 * MINUTE)
    assert.equal(world.receiver.waiting, 1)
    assert.deepEqual(world.count['delivered'], 0)
    world.answer = () => OK
    const before = world.log.length
    await world.pass(10 * MINUTE)
    // Of b nobody ever heard.
    assert.deepEqual(
      world.log.slice(before).map((line) => line.replace(/^\S+ /, '')),
      ['a,c; '],
    )
    assert.equal(world.receiver.waiting, 0)
    world.answer = () => DOWN
    world.change('resolved', 'a')
    await world.pass(30 * MINUTE)
    world.answer = () => OK
    await world.pass(MINUTE)
    assert.match(world.log.at(-1) as string, / c; a$/)
    // A failure is counted each time, and said once for each outage.
    assert.equal(world.fates.filter((fate) => fate === 'failed: down').length, 2)
    assert.ok((world.count['failed'] as number) > 60)
  })

  it('an outage was not said where the one before it had ended with the alert', async () => {
    const world = new World(['a'], AT_ONCE)
    world.answer = () => DOWN
    for (let outage = 1; outage <= 2; outage++) {
      world.change('fired', 'a')
      await world.pass(MINUTE)
      world.change('resolved', 'a')
      await world.pass(MINUTE)
      assert.equal(world.fates.filter((fate) => fate === 'failed: down').length, outage)
    }
  })

  it('what cannot be written counts as not delivered', async () => {
    const world = new World(['a', 'b'], AT_ONCE)
    world.answer = ([name]) => {
      if (name === 'a') throw new RangeError('no such time')
      return OK
    }
    world.change('fired', 'a', 'b')
    await world.settle()
    assert.deepEqual(world.fates, ['failed: no such time', 'delivered'])
  })

  it('pauses double from a second to a minute, none is exact', async () => {
    const world = new World(['a'], AT_ONCE)
    world.answer = () => DOWN
    world.change('fired', 'a')
    await world.pass(10 * MINUTE)
    const pauses = world.tries.slice(1).map((at, i) => at - (world.tries[i] as number))
    assert.ok(pauses.length > 10)
    for (const [i, pause] of pauses.entries()) {
      const longest = Math.min(1000 * 2 ** i, MINUTE)
      assert.ok(pause >= longest / 2 && pause < longest, `${i}: ${pause}`)
    }
    assert.equal(new Set(pauses).size, pauses.length)
  })

  it('what a receiver cannot digest came before what it can', async () => {
    const world = new World(['poison', 'slow', 'new'], AT_ONCE)
    let letGo = (): void => {}
    world.answer = ([name]) => {
      if (name === 'poison') return DOWN
      return new Promise((resolve) => {
        letGo = () => resolve(OK)
      })
    }
    world.change('fired', 'poison')
    await world.settle()
    world.change('fired', 'slow')
    await world.pass(5 * SECOND)
    world.change('fired', 'new')
    await world.settle()
    assert.equal(world.receiver.waiting, 3)
    // All are due, "poison" for the longest time.
    letGo()
    await world.settle()
    letGo()
    await world.settle()
    assert.deepEqual(world.log, ['0: poison; ', '0: slow; ', '5: new; ', '5: poison; '])
    assert.equal(world.receiver.waiting, 1)
  })

  it('an alert that ends or fires anew while it is being told of is told of as it is then', async () => {
    const world = new World(['a'], AT_ONCE)
    const letGo: (() => void)[] = []
    world.answer = () => new Promise((resolve) => letGo.push(() => resolve(OK)))
    world.change('fired', 'a')
    await world.settle()
    world.change('resolved', 'a')
    letGo[0]?.()
    await world.pass(MINUTE)
    world.change('fired', 'a')
    letGo[1]?.()
    await world.pass(MINUTE)
    letGo[2]?.()
    await world.pass(10 * MINUTE)
    assert.deepEqual(world.log, ['0: a; ', '60: ; a', '120: a; '])
  })

  it('at the end all that is not told of is tried once more, without a pause', async () => {
    const world = new World(['a', 'b'], { groupWait: '1h' })
    world.change('fired', 'a', 'b')
    await world.receiver.finish()
    world.receiver.giveUp()
    assert.deepEqual(world.log, ['0: a; ', '0: b; '])
    assert.deepEqual(world.count, { delivered: 2, failed: 0, dropped: 0 })
    const dead = new World(['a', 'b'], AT_ONCE)
    dead.answer = () => DOWN
    dead.change('fired', 'a', 'b')
    await dead.pass(20 * SECOND)
    const before = dead.log.length
    await dead.receiver.finish()
    assert.equal(dead.log.length, before + 2)
    dead.receiver.giveUp()
    dead.receiver.giveUp()
    assert.equal(dead.count['dropped'], 2)
    await dead.pass(10 * MINUTE)
    assert.equal(dead.log.length, before + 2)
  })

  it('what hangs at the end is dropped, once, and so is what comes after it', async () => {
    const world = new World(['a', 'b'], AT_ONCE)
    let letGo = (): void => {}
    world.answer = () =>
      new Promise((resolve) => {
        letGo = () => resolve(DOWN)
      })
    world.change('fired', 'a', 'b')
    await world.settle()
    const finished = world.receiver.finish()
    world.receiver.giveUp()
    letGo()
    await finished
    assert.deepEqual(world.log, ['0: a; '])
    assert.deepEqual(world.fates, ['dropped: the gateway stops', 'dropped'])
  })
})

describe('an Alertmanager', () => {
  const FED = { webhook: undefined, alertmanager: 'http://am:9093' }
  const told = (world: World): string[] => world.log.map((line) => line.replace(/^\S+ /, ''))

  it('is told at once and again each minute, and when it was down of how things are, after a pause', async () => {
    const world = new World(['a', 'b', 'c'], {}, FED)
    world.change('fired', 'a')
    await world.pass(150 * SECOND)
    assert.deepEqual(world.log, ['0: a; ', '60: a; ', '120: a; '])
    world.answer = () => DOWN
    world.change('fired', 'b')
    await world.settle()
    const before = world.tries.length
    for (const name of ['c', 'b', 'a']) world.change(name === 'c' ? 'fired' : 'resolved', name)
    await world.settle()
    assert.equal(world.tries.length, before)
    world.answer = () => OK
    await world.pass(MINUTE)
    // It never heard of b.
    assert.equal(told(world)[before], 'c; a')
  })

  it('is told after a pause of what it could not be told of, and not with the next minute', async () => {
    const world = new World(['a', 'b'], {}, FED)
    world.change('fired', 'a')
    await world.pass(10 * SECOND)
    world.answer = () => DOWN
    world.change('fired', 'b')
    await world.settle()
    world.answer = () => OK
    await world.pass(SECOND)
    assert.deepEqual(told(world), ['a; ', 'a,b; ', 'a,b; '])
    // What is under way when it is given up is dropped.
    world.answer = () => new Promise(() => {})
    world.change('resolved', 'b')
    await world.settle()
    world.receiver.giveUp()
    assert.equal(world.count['dropped'], 1)
  })

  it('took what it had never got for told, and so heard of it though it was silenced', async () => {
    const world = new World(['a', 'b'], {}, FED)
    world.answer = () => DOWN
    world.change('fired', 'a')
    await world.pass(MINUTE)
    world.silenced = (name) => name === 'a'
    world.answer = () => OK
    world.change('fired', 'b')
    await world.pass(2 * MINUTE)
    assert.ok(world.count['delivered']! >= 1)
    for (const [i, line] of told(world).entries())
      if (world.fates[i] === 'delivered') assert.equal(line, 'b; ')
  })
})
