import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import fc from 'fast-check'
import { Actions } from '../../plugins/alerts/actions.ts'
import { AlertState, fingerprint } from '../../plugins/alerts/engine/alert.ts'
import { AlertmanagerFeed, alertsAddress, postedAlert } from '../../plugins/alerts/notify/alertmanager.ts'
import { type Delivered, Delivery } from '../../plugins/alerts/notify/delivery.ts'
import { Groups } from '../../plugins/alerts/notify/groups.ts'
import { groupKeyOf, notificationOf, notified } from '../../plugins/alerts/notify/notification.ts'
import { type ReceiverPorts, receiversOf } from '../../plugins/alerts/notify/receivers.ts'
import { matches, Silences } from '../../plugins/alerts/notify/silences.ts'
import { slackMessage } from '../../plugins/alerts/notify/slack.ts'
import type { Rule } from '../../plugins/alerts/rules/rule.ts'
import { Shedding } from '../../plugins/alerts/shedding.ts'
import { Splits } from '../../plugins/routing/split.ts'
import type { Lease } from '../../plugins/upstreams/contract.ts'
import type { GatewayError } from '../../plugins/upstreams/errors.ts'
import { Registry } from '../../plugins/upstreams/registry.ts'
import { seededDice } from '../support/dice.ts'
import { alertsOf, rulesOf } from './support.ts'

const instance = () => 'gateway:1'
const loud = () => false
function alert(name: string, more: object = {}): AlertState {
  return new AlertState(rulesOf({ name, panic: true, ...more })[0] as Rule, instance)
}
const fire = (one: AlertState, value = 1): void => void one.next(value, 0, 0, true)
const end = (one: AlertState): void => void one.next(false, 1, 60_000, true)
const written = (time: number): string => new Date(time).toISOString()

describe('groups: who is told of what, and when', () => {
  const MINUTE = 60_000
  const options = {
    groupBy: ['severity'],
    groupWait: 10_000,
    groupInterval: MINUTE,
    repeatEvery: 4 * 60 * MINUTE,
    resolved: true,
  }

  it('the first waits for others, they are told of once and together, and again when they are resolved', () => {
    const groups = new Groups(options)
    const [a, b] = [alert('a'), alert('b')]
    fire(a)
    groups.fired(a, 0)
    assert.deepEqual(groups.due(5000, loud), [])
    fire(b)
    groups.fired(b, 5000)
    const [first] = groups.due(10_000, loud)
    assert.deepEqual(first?.firing, [a, b])
    assert.deepEqual(first?.labels, { severity: 'warning', instance: 'gateway:1' })
    for (let now = 15_000; now < 120 * MINUTE; now += 5000) assert.deepEqual(groups.due(now, loud), [])
    end(a)
    const [second] = groups.due(120 * MINUTE + 5000, loud).concat(groups.due(121 * MINUTE + 5000, loud))
    assert.deepEqual([second?.firing, second?.resolved], [[b], [a]])
    end(b)
    const [third] = groups.due(123 * MINUTE, loud)
    assert.deepEqual([third?.firing, third?.resolved], [[], [b]])
    assert.deepEqual(groups.due(999 * MINUTE, loud), [])
  })

  it('another severity is another group; something new in a group waits for its interval', () => {
    const groups = new Groups(options)
    const [a, b, c] = [alert('a'), alert('b', { severity: 'critical' }), alert('c')]
    for (const one of [a, b]) {
      fire(one)
      groups.fired(one, 0)
    }
    assert.equal(groups.due(10_000, loud).length, 2)
    fire(c)
    groups.fired(c, 11_000)
    assert.deepEqual(groups.due(30_000, loud), [])
    assert.deepEqual(
      groups.due(70_000, loud).map(({ firing }) => firing),
      [[a, c]],
    )
  })

  it('what goes on is repeated', () => {
    const groups = new Groups(options)
    const a = alert('a')
    fire(a)
    groups.fired(a, 0)
    let told = 0
    for (let now = 0; now <= 24 * 60 * MINUTE; now += 5000) told += groups.due(now, loud).length
    assert.equal(told, 6)
  })

  it('what ended before anyone was told is not told of', () => {
    const groups = new Groups(options)
    const a = alert('a')
    fire(a)
    groups.fired(a, 0)
    end(a)
    assert.deepEqual(groups.due(10_000, loud), [])
  })

  it('silenced, it is not told of; once the silence is over it is; that it has ended is told all the same', () => {
    const groups = new Groups(options)
    const a = alert('a')
    fire(a)
    groups.fired(a, 0)
    const quiet = () => true
    assert.deepEqual(groups.due(10_000, quiet), [])
    assert.deepEqual(groups.due(70_000, loud)[0]?.firing, [a])
    end(a)
    assert.deepEqual(groups.due(130_000, quiet)[0]?.resolved, [a])
  })

  it('every alert that is told to fire is told to be resolved, whatever happens (property)', () => {
    const rules = rulesOf(...[0, 1, 2, 3].map((i) => ({ name: `a${i}`, panic: true })))
    const step = fc.record({
      which: fc.nat(3),
      fires: fc.boolean(),
      quiet: fc.boolean(),
      gap: fc.integer({ min: 1, max: 90_000 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const groups = new Groups(options)
        const all = rules.map((rule) => new AlertState(rule, instance))
        const believed = new Set<AlertState>()
        let now = 0
        const hear = (quiet: boolean): void => {
          for (const { firing, resolved } of groups.due(now, () => quiet)) {
            for (const one of firing) believed.add(one as AlertState)
            for (const one of resolved)
              assert.ok(believed.delete(one as AlertState), 'resolved, but never told to fire')
          }
        }
        for (const { which, fires, quiet, gap } of steps) {
          const one = all[which] as AlertState
          now += gap
          if (fires && one.state !== 'firing') {
            fire(one)
            groups.fired(one, now)
          } else if (!fires) end(one)
          hear(quiet)
        }
        now += 10 * MINUTE
        hear(false)
        assert.deepEqual(believed, new Set(all.filter(({ state }) => state === 'firing')))
      }),
      { numRuns: 300 },
    )
  })
})

/** A receiver in virtual time. */
class Receiver {
  now = 0
  up = true
  readonly tries: number[] = []
  readonly got: string[] = []
  readonly fates: string[] = []
  verdict: Delivered | undefined
  #due: { at: number; run: () => void }[] = []
  readonly delivery: Delivery<string>

  constructor(options: { queue?: number; retryFor?: number; newestOnly?: boolean } = {}) {
    this.delivery = new Delivery<string>(
      { queue: 3, retryFor: 600_000, ...options },
      {
        now: () => this.now,
        random: seededDice(3),
        send: async (message) => {
          this.tries.push(this.now)
          if (this.up) this.got.push(message)
          return this.verdict ?? (this.up ? { ok: true } : { ok: false, again: true, why: 'down' })
        },
        after: (ms, run) => {
          const one = { at: this.now + ms, run }
          this.#due.push(one)
          return () => {
            this.#due = this.#due.filter((other) => other !== one)
          }
        },
        told: (result, message) => this.fates.push(`${message} ${result}`),
      },
    )
  }

  async pass(ms: number): Promise<void> {
    for (const stop = this.now + ms; ; ) {
      for (let i = 0; i < 10; i++) await undefined
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
}

describe('delivery', () => {
  it('nothing is lost while the receiver is down: it comes once, and in its order', async () => {
    const receiver = new Receiver()
    receiver.up = false
    for (const message of ['a', 'b', 'c']) receiver.delivery.push(message)
    await receiver.pass(300_000)
    assert.deepEqual(receiver.got, [])
    receiver.up = true
    await receiver.pass(60_000)
    assert.deepEqual(receiver.got, ['a', 'b', 'c'])
    assert.equal(receiver.delivery.waiting, 0)
  })

  it('pauses double from a second to a minute, none is exact', async () => {
    const receiver = new Receiver()
    receiver.up = false
    receiver.delivery.push('a')
    await receiver.pass(599_000)
    const pauses = receiver.tries.slice(1).map((at, i) => at - (receiver.tries[i] as number))
    for (const [i, pause] of pauses.entries()) {
      const longest = Math.min(1000 * 2 ** i, 60_000)
      assert.ok(pause >= longest / 2 && pause < longest, `${i}: ${pause}`)
    }
    assert.equal(new Set(pauses).size, pauses.length)
  })

  it('what is too old is dropped, and so is what the receiver refuses for good', async () => {
    const receiver = new Receiver()
    receiver.up = false
    receiver.delivery.push('old')
    await receiver.pass(700_000)
    assert.equal(receiver.fates.at(-1), 'old dropped')
    receiver.verdict = { ok: false, again: false, why: 'answered with 400' }
    receiver.delivery.push('bad')
    await receiver.pass(0)
    assert.deepEqual(receiver.fates.slice(-2), ['bad failed', 'bad dropped'])
  })

  it('a full queue drops the oldest, with a word', async () => {
    const receiver = new Receiver()
    receiver.up = false
    for (const message of ['a', 'b', 'c', 'd', 'e']) receiver.delivery.push(message)
    await receiver.pass(0)
    receiver.up = true
    await receiver.pass(60_000)
    // "a" was under way when the others came.
    assert.deepEqual(receiver.got, ['a', 'c', 'd', 'e'])
    assert.ok(receiver.fates.includes('b dropped'))
  })

  it('where the newest says all, the others are not sent', async () => {
    const receiver = new Receiver({ newestOnly: true })
    receiver.up = false
    for (const message of ['a', 'b', 'c']) receiver.delivery.push(message)
    await receiver.pass(5000)
    receiver.up = true
    await receiver.pass(60_000)
    assert.deepEqual(receiver.got, ['c'])
  })

  it('at the end all that waits is tried once more, without a pause', async () => {
    const receiver = new Receiver()
    receiver.up = false
    for (const message of ['a', 'b']) receiver.delivery.push(message)
    await receiver.pass(20_000)
    receiver.up = true
    await receiver.delivery.finish()
    assert.deepEqual(receiver.got, ['a', 'b'])
    const dead = new Receiver()
    dead.up = false
    dead.delivery.push('a')
    await dead.delivery.finish()
    assert.deepEqual(dead.fates.at(-1), 'a dropped')
  })
})

describe('silences', () => {
  it('match labels, `*` standing for any text', () => {
    const labels = { alertname: 'slow users', severity: 'critical' }
    for (const where of [
      { alertname: 'slow users' },
      { alertname: 'slow*' },
      { alertname: '*users' },
      { alertname: 's*w*s' },
      { severity: '*' },
      { none: '' },
      {},
    ])
      assert.equal(matches(where as Record<string, string>, labels), true, JSON.stringify(where))
    for (const where of [
      { alertname: 'slow' },
      { alertname: 'slow*slow users' },
      { alertname: 'slow*', severity: 'warning' },
      { team: 'a' },
    ])
      assert.equal(matches(where as Record<string, string>, labels), false, JSON.stringify(where))
  })

  it('`*` matches what a regular expression would (property)', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 })
    fc.assert(
      fc.property(text, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 }), (pattern, value) => {
        const expected = new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(value)
        assert.equal(matches({ x: pattern }, { x: value }), expected)
      }),
    )
  })

  it('end by themselves or by hand, those of the config only by themselves; there may be so many', () => {
    const silences = new Silences([{ where: { a: '1' }, until: 100, comment: '' }])
    const set = silences.add({ where: { a: '2' }, until: 200, comment: 'deploy' }, 0)
    assert.equal(silences.silenced({ a: '1' }, 99), true)
    assert.equal(silences.silenced({ a: '1' }, 100), false)
    // A clock that was wrong for a while ended them for good, if somebody looked at them meanwhile.
    assert.deepEqual(silences.list(1e9), [])
    assert.equal(silences.silenced({ a: '1' }, 99), true)
    assert.equal(silences.end('config-0'), false)
    assert.equal(silences.end(set.id), true)
    assert.deepEqual(silences.list(100), [])
    for (let i = 0; i < 1000; i++) silences.add({ where: {}, until: 200, comment: '' }, 0)
    assert.throws(() => silences.add({ where: {}, until: 200, comment: '' }, 0), /1000 silences/)
  })
})

describe('what receivers are sent', () => {
  const [a, b] = [
    alert('a & b', {
      severity: 'critical',
      labels: { team: 'x' },
      summary: '{{ $value }} <is> it',
      annotations: { runbook: 'r' },
    }),
    alert('c', { severity: 'critical', labels: { team: 'y' } }),
  ]
  fire(a, 0.5)
  fire(b)
  end(b)
  const both = [a, b].map((one) => notified(one, written, 'http://dash'))
  const notification = notificationOf('webhook', { severity: 'critical' }, both, 'http://dash')

  it("is Alertmanager's payload, version 4", () => {
    assert.deepEqual(notification, {
      version: '4',
      groupKey: '{}:{severity="critical"}',
      truncatedAlerts: 0,
      status: 'firing',
      receiver: 'webhook',
      groupLabels: { severity: 'critical' },
      commonLabels: { severity: 'critical', instance: 'gateway:1' },
      commonAnnotations: {},
      externalURL: 'http://dash',
      alerts: [
        {
          status: 'firing',
          labels: { team: 'x', alertname: 'a & b', severity: 'critical', instance: 'gateway:1' },
          annotations: { runbook: 'r', summary: '0.5 <is> it' },
          startsAt: '1970-01-01T00:00:00.000Z',
          endsAt: '0001-01-01T00:00:00Z',
          generatorURL: 'http://dash',
          fingerprint: a.fingerprint,
        },
        {
          status: 'resolved',
          labels: { team: 'y', alertname: 'c', severity: 'critical', instance: 'gateway:1' },
          annotations: { summary: 'the gateway: so few targets are left that health is set aside' },
          startsAt: '1970-01-01T00:00:00.000Z',
          endsAt: '1970-01-01T00:01:00.000Z',
          generatorURL: 'http://dash',
          fingerprint: b.fingerprint,
        },
      ],
    })
    assert.equal(groupKeyOf({}), '{}:{}')
  })

  it('is a message of Slack with nothing in it that Slack would take for markup', () => {
    const { text, attachments } = slackMessage(notification)
    assert.equal(text, '1 firing, 1 resolved: a &amp; b, c')
    assert.deepEqual(attachments[0], {
      color: '#b3261e',
      title: 'critical: a &amp; b',
      text: '0.5 &lt;is&gt; it\nrunbook: r\ngateway:1: since 1970-01-01T00:00:00.000Z',
      fallback: 'critical: a &amp; b: 0.5 &lt;is&gt; it',
      title_link: 'http://dash',
    })
    const many = slackMessage({ ...notification, alerts: new Array(50).fill(both[0]) })
    assert.equal(many.attachments.length, 20)
    assert.match(many.text, /30 more/)
  })

  it('of an alert that the wall clock was set back under had it end before it began, which Alertmanager refuses', () => {
    const noon = Date.parse('2026-01-01T12:00:00Z')
    const one = alert('a')
    one.next(1, 0, noon, true)
    one.next(1, 5000, noon - 3_600_000, true)
    const firing = postedAlert(one, noon - 3_600_000, 5000, written, '')
    assert.deepEqual(
      [firing.startsAt, firing.endsAt],
      ['2026-01-01T11:00:00.000Z', '2026-01-01T11:04:00.000Z'],
    )
    one.next(false, 10_000, noon - 7_200_000, true)
    const over = postedAlert(one, noon - 7_200_000, 5000, written, '')
    assert.deepEqual([over.startsAt, over.endsAt], ['2026-01-01T10:00:00.000Z', '2026-01-01T10:00:00.000Z'])
  })

  it('is, for an Alertmanager, everything that fires each minute, and what is over for a quarter of an hour', () => {
    const feed = new AlertmanagerFeed()
    assert.equal(feed.due(0, loud), undefined)
    feed.fired(a)
    assert.deepEqual(feed.due(0, loud), [a])
    assert.equal(feed.due(59_999, loud), undefined)
    assert.deepEqual(feed.due(60_000, loud), [a])
    feed.resolved(a, 61_000)
    assert.deepEqual(feed.due(61_000, loud), [a])
    let sent = 0
    for (let now = 62_000; now < 7_200_000; now += 5000) sent += feed.due(now, loud) === undefined ? 0 : 1
    assert.ok(sent >= 13 && sent <= 15, String(sent))
    assert.equal(alertsAddress('http://alerts:9093/am/'), 'http://alerts:9093/am/api/v2/alerts')
  })

  it('the same from two gateways: the end of an alert of one was taken for the end of that of the other', () => {
    const [rule] = rulesOf({ name: 'quiet', route: 'a', throughput: { below: 1 } }) as [Rule]
    const [here, there] = ['a:8080', 'b:8080'].map((name) => new AlertState(rule, () => name)) as [
      AlertState,
      AlertState,
    ]
    const sent = [here, there].map((one) => {
      const groups = new Groups({
        groupBy: [],
        groupWait: 0,
        groupInterval: 1,
        repeatEvery: 1,
        resolved: true,
      })
      fire(one)
      groups.fired(one, 0)
      const [due] = groups.due(0, loud)
      const alerts = [notified(one, written, '')]
      return {
        payload: notificationOf('webhook', due?.labels ?? {}, alerts, ''),
        posted: postedAlert(one, 0, 5000, written, ''),
      }
    })
    for (const { payload } of sent)
      assert.ok(slackMessage(payload).attachments[0]?.text.includes(':8080: since'))
    const differ = (of: (one: (typeof sent)[number]) => unknown): void =>
      assert.equal(new Set(sent.map(of)).size, 2)
    differ(({ payload }) => payload.alerts[0]?.fingerprint)
    differ(({ payload }) => payload.groupKey)
    differ(({ posted }) => posted.labels['instance'])
    assert.equal(here.fingerprint, fingerprint({ ...rule.labels, instance: 'a:8080' }))
  })

  it('a silence here let an Alertmanager say that an alert is over which fires still', () => {
    const feed = new AlertmanagerFeed()
    const [known, unknown] = [alert('a'), alert('b')]
    for (const one of [known, unknown]) fire(one)
    feed.fired(known)
    assert.deepEqual(feed.due(0, loud), [known])
    const quiet = () => true
    feed.fired(unknown)
    for (let now = 60_000; now <= 600_000; now += 60_000) assert.deepEqual(feed.due(now, quiet), [known])
    // It is told of when the silence is over, at once if there is nothing else to tell.
    feed.resolved(known, 601_000)
    assert.deepEqual(feed.due(601_000, quiet), [known])
    assert.deepEqual(feed.due(661_000, loud), [known, unknown])
    const other = new AlertmanagerFeed()
    other.fired(unknown)
    assert.equal(other.due(0, quiet), undefined)
    assert.deepEqual(other.due(5000, loud), [unknown])
    // What it never heard of, it need not hear the end of; what fires anew, silenced now, stays resolved there.
    const third = new AlertmanagerFeed()
    third.fired(unknown)
    third.resolved(unknown, 1000)
    assert.equal(third.due(1000, loud), undefined)
    third.fired(unknown)
    assert.deepEqual(third.due(2000, loud), [unknown])
    third.resolved(unknown, 3000)
    third.fired(unknown)
    assert.equal(third.due(4000, quiet), undefined)
  })

  it('of rules that are evaluated every ten minutes ended in between, at the Alertmanager', () => {
    const one = alert('a')
    fire(one)
    assert.equal(postedAlert(one, 0, 600_000, written, '').endsAt, '1970-01-01T00:40:00.000Z')
    assert.equal(postedAlert(one, 0, 5000, written, '').endsAt, '1970-01-01T00:04:00.000Z')
  })

  it('of an alert that is over fired on, where the wall clock was set back by an hour afterwards', () => {
    const noon = Date.parse('2026-01-01T12:00:00Z')
    const one = alert('a')
    one.next(1, 0, noon - 60_000, true)
    one.next(false, 60_000, noon, true)
    const { startsAt, endsAt } = postedAlert(one, noon - 3_600_000, 5000, written, '')
    assert.deepEqual([startsAt, endsAt], ['2026-01-01T11:00:00.000Z', '2026-01-01T11:00:00.000Z'])
  })
})

test('two receivers shared one name, and their counts became one', () => {
  const call = () => {}
  const options = alertsOf({
    rules: [{ name: 'a', panic: true }],
    notify: [
      { call },
      { call },
      { name: 'call-2', call },
      { name: 'ops', call },
      { name: 'ops', call },
      { alertmanager: ['http://a:9093', 'http://b:9093'] },
    ],
  })
  const names = receiversOf(options, {} as ReceiverPorts).map(({ name }) => name)
  assert.deepEqual(names, ['call', 'call-3', 'call-2', 'ops', 'ops-2', 'alertmanager', 'alertmanager-2'])
})

describe('actions', () => {
  function setUp(action: object) {
    const [rule] = rulesOf({ name: 'a', panic: true, action }) as [Rule]
    const targets = [1, 2, 3].map((i) => ({ origin: `http://10.0.0.${i}:80` }))
    const registry = new Registry({ now: () => 0, random: () => 0 }, { users: { targets, capacity: 10 } })
    const told: string[] = []
    const splits = new Splits(
      new Map([
        ['users', 1],
        ['next', 1],
      ]),
    )
    splits.add('b', { split: { users: 3, next: 1 } }, () => 0)
    const shedding = new Shedding(seededDice(5))
    const actions = new Actions({
      upstreams: registry,
      shedding,
      setSplit: splits.set.bind(splits),
      told: (_rule, what, why) => void told.push(`${what}: ${why}`),
    })
    return { rule, registry, told, splits, shedding, actions, users: registry.upstream('users') }
  }
  const DRAIN = { drain: { upstream: 'users', target: 'http://10.0.0.1:80' } }

  it('a drain is done, and undone', () => {
    const { rule, actions, users, told } = setUp(DRAIN)
    actions.start(rule)
    actions.start(rule)
    assert.equal(users.targets[0]?.draining, true)
    assert.deepEqual(actions.active, [rule])
    actions.end(rule, 'over')
    actions.end(rule, 'over')
    assert.equal(users.targets[0]?.draining, false)
    assert.deepEqual(told, ['done: its alert fires', 'undone: over'])
  })

  it('the last target that can be used is never drained, and one that has become the last is given back', () => {
    const { rule, actions, users, told, registry } = setUp(DRAIN)
    const down = new Set(users.targets.slice(1))
    registry.addHealthSource({ name: 'test', allows: (target) => !down.has(target) })
    actions.start(rule)
    assert.deepEqual(told, ['refused: "http://10.0.0.1:80" is the last target that can be used'])
    assert.equal(users.targets[0]?.draining, false)
    down.clear()
    registry.changed(users.targets[0]!)
    actions.start(rule)
    assert.equal(users.targets[0]?.draining, true)
    actions.look()
    for (const target of users.targets.slice(1)) down.add(target)
    registry.changed(users.targets[0]!)
    actions.look()
    assert.equal(users.targets[0]?.draining, false)
    assert.equal(told.at(-1), 'undone: no other target is left')
  })

  it('what an operator drains is left alone', () => {
    const { rule, actions, users, told } = setUp(DRAIN)
    void users.drain(users.targets[0]!)
    actions.start(rule)
    actions.end(rule, 'over')
    assert.equal(users.targets[0]?.draining, true)
    assert.match(told[0] as string, /^refused: .* is draining already$/)
  })

  it('the end of an alert took back a target that an operator had drained or was removing meanwhile', async () => {
    for (const how of ['drain', 'remove'] as const) {
      const { rule, actions, users } = setUp(DRAIN)
      const target = users.targets[0]!
      const lease = users.lease({
        key: '',
        repeatable: true,
        tried: new Set(users.targets.slice(1)),
      }) as Lease
      assert.equal(lease.target, target)
      actions.start(rule)
      const done = users[how](target)
      actions.end(rule, 'over')
      assert.equal(target.draining, true, how)
      lease.release()
      await done
      assert.equal(users.targets.includes(target), how === 'drain')
    }
  })

  it('what an operator has undone by hand is over, and is not done again while the alert fires', () => {
    const { rule, actions, users, told } = setUp(DRAIN)
    actions.start(rule)
    users.undrain(users.targets[0]!)
    actions.look()
    assert.deepEqual([actions.active, told.at(-1)], [[], 'undone: it was taken back by hand'])
    void users.drain(users.targets[0]!)
    actions.end(rule, 'over')
    assert.equal(users.targets[0]?.draining, true)
  })

  it('the target that is drained was removed', async () => {
    const { rule, actions, users, told } = setUp(DRAIN)
    actions.start(rule)
    await users.remove(users.targets[0]!)
    actions.look()
    assert.deepEqual([actions.active, told.at(-1)], [[], 'undone: its target is gone'])
  })

  it('a split goes back to what it was, and not to what the config says; one that was set by hand is left alone', () => {
    const { rule, actions, splits } = setUp({ setSplit: { route: 'b', shares: { users: 1 } } })
    const parts = () => Object.fromEntries(splits.of('b')[0]!.parts)
    splits.set('b', { users: 1, next: 1 })
    actions.start(rule)
    assert.deepEqual(parts(), { users: 1 })
    actions.end(rule, 'over')
    assert.deepEqual(parts(), { users: 0.5, next: 0.5 })
    actions.start(rule)
    splits.set('b', { next: 1 })
    actions.end(rule, 'over')
    assert.deepEqual(parts(), { next: 1 })
  })

  it('a share is shed of a route, and of an upstream in proportion to what goes there', () => {
    const { rule, actions, shedding } = setUp({ shed: { upstream: 'users', share: 0.4 } })
    const route = { name: 'b', config: { split: { users: 3, next: 1 } } }
    const guard = shedding.guard(route, 5) as () => void
    const shedOf = (): number => {
      const before = shedding.counts.get('b') as number
      for (let i = 0; i < 100_000; i++) {
        try {
          guard()
        } catch (error) {
          assert.equal((error as GatewayError).code, 'GTW_SHED')
        }
      }
      return ((shedding.counts.get('b') as number) - before) / 100_000
    }
    assert.equal(shedOf(), 0)
    actions.start(rule)
    // Five standard deviations of a share of 0.3 in 100,000.
    assert.ok(Math.abs(shedOf() - 0.3) < 0.0073)
    actions.end(rule, 'over')
    assert.equal(shedOf(), 0)
    shedding.set({ kind: 'route', name: 'b' }, 1)
    assert.equal(shedOf(), 1)
    assert.equal(shedding.guard({ name: 'c', config: {} }, 5), undefined)
  })
})

test('a label that groups, and that an alert has not, is empty', () => {
  const groups = new Groups({
    groupBy: ['team'],
    groupWait: 0,
    groupInterval: 1,
    repeatEvery: 1,
    resolved: true,
  })
  const a = alert('a')
  fire(a)
  groups.fired(a, 0)
  assert.deepEqual(groups.due(0, () => false)[0]?.labels, { team: '', instance: 'gateway:1' })
})
