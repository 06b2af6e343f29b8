import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import fc from 'fast-check'
import { Actions } from '../../plugins/alerts/actions.ts'
import { AlertState, fingerprint } from '../../plugins/alerts/engine/alert.ts'
import { AlertmanagerFeed, alertsAddress, postedAlert } from '../../plugins/alerts/notify/alertmanager.ts'
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

describe('silences', () => {
  it('match labels, `*` standing for any text', () => {
    const labels = { alertname: 'slow users', severity: 'critical', empty: '' }
    for (const where of [
      { alertname: 'slow users' },
      { alertname: 'slow*' },
      { alertname: '*users' },
      { alertname: 's*w*s' },
      { severity: '*' },
      { none: '' },
      // As with Prometheus a label that is empty is none.
      { empty: '' },
      {},
    ])
      assert.equal(matches(where as Record<string, string>, labels), true, JSON.stringify(where))
    for (const where of [
      { alertname: 'slow' },
      { alertname: 'slow*slow users' },
      { alertname: 'slow*', severity: 'warning' },
      { team: 'a' },
      // Alerts without the label were meant, and silenced, too.
      { team: '*' },
      { empty: '*' },
    ])
      assert.equal(matches(where as Record<string, string>, labels), false, JSON.stringify(where))
  })

  it('`*` matches what a regular expression would (property)', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 })
    fc.assert(
      fc.property(
        text,
        fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 8 }),
        (pattern, value) => {
          const expected = new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(value)
          assert.equal(matches({ x: pattern }, { x: value }), expected)
        },
      ),
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
    const feed = new AlertmanagerFeed(loud)
    const sentAt = (now: number) => {
      const sent = feed.news(now)
      if (sent !== undefined) feed.delivered(sent, now)
      return sent
    }
    assert.equal(sentAt(0), undefined)
    feed.fired(a, 0)
    assert.deepEqual(sentAt(0), [a])
    assert.equal(sentAt(59_999), undefined)
    assert.deepEqual(sentAt(60_000), [a])
    feed.resolved(a, 61_000)
    assert.deepEqual(sentAt(61_000), [a])
    let sent = 0
    for (let now = 62_000; now < 7_200_000; now += 5000) sent += sentAt(now) === undefined ? 0 : 1
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
      const groups = new Groups(
        { groupBy: [], groupWait: 0, groupInterval: 1, repeatEvery: 1, resolved: true },
        loud,
      )
      fire(one)
      groups.fired(one, 0)
      const due = [...groups][0]?.news(0)
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
    let quiet = false
    const sentBy = (feed: AlertmanagerFeed, now: number, silenced: boolean) => {
      quiet = silenced
      const sent = feed.news(now)
      if (sent !== undefined) feed.delivered(sent, now)
      return sent
    }
    const [feed, other, third] = [1, 2, 3].map(() => new AlertmanagerFeed(() => quiet)) as [
      AlertmanagerFeed,
      AlertmanagerFeed,
      AlertmanagerFeed,
    ]
    const [known, unknown] = [alert('a'), alert('b')]
    for (const one of [known, unknown]) fire(one)
    feed.fired(known, 0)
    assert.deepEqual(sentBy(feed, 0, false), [known])
    feed.fired(unknown, 1000)
    for (let now = 60_000; now <= 600_000; now += 60_000) assert.deepEqual(sentBy(feed, now, true), [known])
    // It is told of when the silence is over.
    feed.resolved(known, 601_000)
    assert.deepEqual(sentBy(feed, 601_000, true), [known])
    assert.deepEqual(sentBy(feed, 661_000, false), [known, unknown])
    other.fired(unknown, 0)
    assert.equal(sentBy(other, 0, true), undefined)
    assert.deepEqual(sentBy(other, 5000, false), [unknown])
    // What it never heard of, it need not hear the end of; what fires anew, silenced now, stays resolved there.
    third.fired(unknown, 0)
    third.resolved(unknown, 1000)
    assert.equal(sentBy(third, 1000, false), undefined)
    third.fired(unknown, 2000)
    assert.deepEqual(sentBy(third, 2000, false), [unknown])
    third.resolved(unknown, 3000)
    third.fired(unknown, 3000)
    assert.equal(sentBy(third, 4000, true), undefined)
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
    // A drain that was refused was never tried again, however long the alert went on.
    actions.look()
    assert.equal(told.length, 1)
    down.clear()
    registry.changed(users.targets[0]!)
    actions.look()
    assert.equal(users.targets[0]?.draining, true)
    assert.deepEqual(told.slice(1), ['done: its alert fires'])
    actions.look()
    for (const target of users.targets.slice(1)) down.add(target)
    registry.changed(users.targets[0]!)
    actions.look()
    assert.equal(users.targets[0]?.draining, false)
    assert.equal(told.at(-1), 'undone: no other target is left')
    // It would be taken out and given back with each round.
    down.clear()
    registry.changed(users.targets[0]!)
    actions.look()
    assert.equal(users.targets[0]?.draining, false)
  })

  it('an alert that is over takes what it waits for with it', () => {
    const { rule, actions, users, registry } = setUp(DRAIN)
    const down = new Set(users.targets.slice(1))
    registry.addHealthSource({ name: 'test', allows: (target) => !down.has(target) })
    actions.start(rule)
    actions.end(rule, 'over')
    down.clear()
    registry.changed(users.targets[0]!)
    actions.look()
    assert.equal(users.targets[0]?.draining, false)
  })

  it('what an operator drains is left alone', () => {
    const { rule, actions, users, told } = setUp(DRAIN)
    void users.drain(users.targets[0]!)
    actions.start(rule)
    actions.look()
    actions.end(rule, 'over')
    assert.equal(users.targets[0]?.draining, true)
    assert.match(told[0] as string, /^refused: .* is draining already$/)
  })

  it('the end of an alert took back a target that an operator had drained or was removing meanwhile', async () => {
    for (const how of ['drain', 'remove'] as const) {
      const { rule, actions, users, told } = setUp(DRAIN)
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
      // It was said to be undone, which it was not.
      assert.equal(told.at(-1), 'overruled: over')
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
    assert.deepEqual([actions.active, told.at(-1)], [[], 'overruled: it was taken back by hand'])
    void users.drain(users.targets[0]!)
    actions.end(rule, 'over')
    assert.equal(users.targets[0]?.draining, true)
  })

  it('the target that is drained was removed', async () => {
    const { rule, actions, users, told } = setUp(DRAIN)
    actions.start(rule)
    await users.remove(users.targets[0]!)
    actions.look()
    assert.deepEqual([actions.active, told.at(-1)], [[], 'overruled: its target is gone'])
  })

  it('a split goes back to what it was, and not to what the config says; one that was set by hand is left alone', () => {
    const { rule, actions, splits, told } = setUp({ setSplit: { route: 'b', shares: { users: 1 } } })
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
    assert.deepEqual(
      told.map((line) => line.split(':')[0]),
      ['done', 'undone', 'done', 'overruled'],
    )
  })

  it('a share is shed of a route, and of an upstream in proportion to what goes there', () => {
    const { rule, actions, shedding, splits } = setUp({ shed: { upstream: 'users', share: 0.4 } })
    const route = { name: 'b', config: { split: { users: 3, next: 1 } } }
    const parts = () => splits.of('b')[0]!.parts
    const guard = shedding.guard(route, parts, 5) as () => void
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
    // What another action, or an operator, had changed was not looked at.
    splits.set('b', { next: 1 })
    assert.equal(shedOf(), 0)
    splits.set('b', { users: 1 })
    assert.ok(Math.abs(shedOf() - 0.4) < 0.0078)
    actions.end(rule, 'over')
    assert.equal(shedOf(), 0)
    shedding.set({ kind: 'route', name: 'b' }, 1)
    assert.equal(shedOf(), 1)
    assert.equal(shedding.guard({ name: 'c', config: {} }, parts, 5), undefined)
  })
})

test('a label that groups, and that an alert has not, is empty', () => {
  const groups = new Groups(
    { groupBy: ['team'], groupWait: 0, groupInterval: 1, repeatEvery: 1, resolved: true },
    loud,
  )
  const a = alert('a')
  fire(a)
  groups.fired(a, 0)
  assert.deepEqual([...groups][0]?.news(0)?.labels, { team: '', instance: 'gateway:1' })
})
