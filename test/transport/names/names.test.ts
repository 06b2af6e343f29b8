import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  type Address,
  type Answer,
  HOLD_MISSING_MS,
  type NameEvent,
} from '../../../plugins/transport/names/name-state.ts'
import { Names, REFRESH_MS, SLOW_MS } from '../../../plugins/transport/names/names.ts'
import { lookupBy, lookupSlots, nameOf } from '../../../plugins/transport/names/system.ts'
import { virtualTimers } from '../../health-check/virtual-timers.ts'

const A = '10.0.0.1'
const B = '10.0.0.2'
const SIX = 'fd00::1'

function addresses(of: readonly string[]): Address[] {
  return of.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
}

function failure(code: string): Error & { code: string } {
  return Object.assign(new Error(`getaddrinfo ${code}`), { code })
}

/** Names over a system whose answers the test gives: a list, a code of an error, or nothing for a silence. */
function setup({ slots = 2, random = (): number => 0.5 } = {}) {
  const time = virtualTimers()
  const asked: string[] = []
  const open = new Map<string, Answer>()
  const events: [name: string, event: NameEvent['name'], why: string][] = []
  const kept: (readonly string[])[] = []
  const world: Record<string, readonly string[] | string | undefined> = {}
  let atOnce = 0
  let most = 0
  const reply = (answer: Answer, what: readonly string[] | string): void => {
    atOnce--
    if (typeof what === 'string') answer(failure(what), [])
    else answer(null, addresses(what))
  }
  const names = new Names({
    context: { now: time.now, random },
    after: time.after,
    slots,
    find(name, answer) {
      asked.push(name)
      most = Math.max(most, ++atOnce)
      assert.ok(!open.has(name), `${name} is looked up twice at a time`)
      const what = world[name]
      if (what === undefined) open.set(name, answer)
      else time.after(1, () => reply(answer, what))
    },
    turned: (name, event) => events.push([name, event.name, event.why]),
    has: (_name, now) => kept.push([...now]),
  })
  /** What somebody who connects gets: the addresses, the code of an error, or undefined as long as there is nothing. */
  const resolve = (name: string): { came?: readonly string[] | string } => {
    const result: { came?: readonly string[] | string } = {}
    names.resolve(name, (error, found) => {
      result.came =
        error === undefined ? found.map(({ address }) => address) : ((error as { code?: string }).code ?? '')
    })
    return result
  }
  return {
    ...time,
    names,
    asked,
    events,
    kept,
    world,
    resolve,
    most: () => most,
    hangs: (name: string) => open.has(name),
    /** The system answers what it was silent on. */
    answer(name: string, what: readonly string[] | string): void {
      const answer = open.get(name) as Answer
      open.delete(name)
      reply(answer, what)
    },
  }
}

describe('names', () => {
  it('are looked up once for however many connect, who wait for the first answer only', async () => {
    const { names, asked, answer, resolve, advance } = setup()
    names.hold('a')
    const first = [resolve('a'), resolve('a'), resolve('a')]
    await advance(500)
    assert.deepEqual(asked, ['a'])
    assert.ok(first.every(({ came }) => came === undefined))
    answer('a', [A])
    assert.ok(first.every(({ came }) => came?.[0] === A))
  })

  it('are answered from memory, and looked up every five seconds without anybody asking', async () => {
    const { names, world, asked, resolve, advance } = setup()
    world['a'] = [A]
    names.hold('a')
    names.start()
    await advance(1)
    assert.deepEqual(resolve('a').came, [A])
    await advance(60_000)
    assert.equal(asked.length, 1 + Math.floor(60_000 / (REFRESH_MS + 1)))
    assert.deepEqual(resolve('a').came, [A])
  })

  it('are not all looked up at the same moment', async () => {
    for (const [dice, ms] of [
      [0, 4500],
      [0.999, 5499],
    ] as const) {
      const { names, world, asked, advance } = setup({ random: () => dice })
      world['a'] = [A]
      names.hold('a')
      names.start()
      await advance(ms)
      assert.equal(asked.length, 1)
      await advance(2)
      assert.equal(asked.length, 2)
    }
  })

  it('keep their last addresses while the resolver cannot say, for as long as that takes', async () => {
    const { names, world, events, kept, resolve, advance } = setup()
    world['a'] = [A]
    names.hold('a')
    names.start()
    await advance(10)
    world['a'] = 'EAI_AGAIN'
    await advance(3_600_000)
    assert.deepEqual(resolve('a').came, [A])
    // Told once.
    assert.deepEqual(events, [
      ['a', 'name-unresolved', `a cannot be looked up (EAI_AGAIN); its last addresses are kept: ${A}`],
    ])
    world['a'] = [A]
    await advance(6000)
    assert.deepEqual(events.slice(1), [['a', 'name-resolved', `a is found again, at ${A}`]])
    assert.ok(kept.every((one) => one[0] === A))
  })

  it('lose them when they have not existed for half a minute', async () => {
    const { names, world, events, kept, resolve, advance } = setup()
    world['a'] = [A]
    names.hold('a')
    names.start()
    await advance(10)
    world['a'] = 'ENOTFOUND'
    await advance(HOLD_MISSING_MS - 1000)
    assert.deepEqual(resolve('a').came, [A])
    await advance(REFRESH_MS * 2 + 1000)
    assert.equal(resolve('a').came, 'ENOTFOUND')
    assert.deepEqual(kept.at(-1), [])
    assert.deepEqual(
      events.map(([, event]) => event),
      ['name-unresolved', 'address-changed'],
    )
  })

  it('have their new addresses within one refresh, and it is told which ones', async () => {
    const { names, world, events, kept, resolve, advance } = setup()
    world['a'] = [A]
    names.hold('a')
    names.start()
    await advance(10)
    world['a'] = [B]
    await advance(REFRESH_MS + 10)
    assert.deepEqual(resolve('a').came, [B])
    assert.deepEqual(kept.at(-1), [B])
    assert.deepEqual(events, [['a', 'address-changed', `a is at ${B} now; it was at ${A}`]])
    // Another order is no change.
    world['a'] = [B, A]
    await advance(REFRESH_MS + 10)
    world['a'] = [A, B]
    await advance(REFRESH_MS + 10)
    assert.equal(events.length, 2)
  })

  it('hand their addresses out in turn, those of the other family behind', async () => {
    const { names, world, resolve, advance } = setup()
    world['a'] = [A, SIX, B]
    names.hold('a')
    names.start()
    await advance(10)
    assert.deepEqual(
      [1, 2, 3].map(() => resolve('a').came),
      [
        [A, B, SIX],
        [B, A, SIX],
        [A, B, SIX],
      ],
    )
  })

  it('that cannot be resolved fail at once, and are found within a second of being there', async () => {
    const { names, world, events, resolve, advance } = setup()
    world['a'] = 'EAI_AGAIN'
    names.hold('a')
    const first = resolve('a')
    await advance(1)
    assert.equal(first.came, 'EAI_AGAIN')
    assert.equal(resolve('a').came, 'EAI_AGAIN')
    world['a'] = [A]
    await advance(1100)
    assert.deepEqual(resolve('a').came, [A])
    assert.deepEqual(
      events.map(([, event]) => event),
      ['name-unresolved', 'name-resolved'],
    )
  })

  it('whose look-up hangs are waited for a second, not for a time-out', async () => {
    const { names, asked, events, answer, resolve, advance } = setup()
    names.hold('a')
    const first = resolve('a')
    await advance(SLOW_MS - 1)
    assert.equal(first.came, undefined)
    await advance(1)
    assert.equal(first.came, 'ETIMEOUT')
    assert.equal(resolve('a').came, 'ETIMEOUT')
    await advance(20_000)
    assert.deepEqual(asked, ['a'])
    answer('a', [A])
    assert.deepEqual(resolve('a').came, [A])
    assert.deepEqual(
      events.map(([, event]) => event),
      ['name-unresolved', 'name-resolved'],
    )
  })

  it('that are dead leave a slot to the others, however many they are', async () => {
    const { names, world, asked, answer, hangs, resolve, advance, most } = setup({ slots: 2 })
    const dead = ['x', 'y', 'z']
    for (const name of [...dead, 'good']) names.hold(name)
    world['good'] = [A]
    names.start()
    // Nobody can know yet: two of them have both slots, once.
    await advance(20_000)
    assert.deepEqual(asked, ['x', 'y'])
    answer('x', 'EAI_AGAIN')
    await advance(5)
    answer('y', 'EAI_AGAIN')
    await advance(5)
    assert.deepEqual(resolve('good').came, [A])
    const before = asked.filter((name) => name === 'good').length
    for (let i = 0; i < 6; i++) {
      await advance(20_000)
      for (const name of dead) if (hangs(name)) answer(name, 'EAI_AGAIN')
    }
    const after = asked.filter((name) => name === 'good').length
    assert.ok(after - before >= 23, `looked up ${after - before} times in two minutes`)
    assert.equal(most(), 2)
  })

  it('that have begun to hang count as dead before they have failed', async () => {
    const { names, world, asked, resolve, advance } = setup({ slots: 2 })
    for (const name of ['x', 'y', 'good']) names.hold(name)
    world['y'] = 'EAI_AGAIN'
    world['good'] = [A]
    names.start()
    await advance(900)
    // From now on the resolver is silent on both of them.
    world['y'] = undefined
    await advance(60_000)
    assert.deepEqual(asked.slice(0, 3), ['x', 'y', 'good'])
    assert.ok(
      asked.every((name, at) => at < 2 || name === 'good'),
      asked.join(),
    )
    assert.deepEqual(resolve('good').came, [A])
  })

  it('are forgotten with the last who holds them, whatever is under way', async () => {
    const { names, world, asked, answer, pending, resolve, advance } = setup()
    world['a'] = [A]
    names.hold('a')
    names.hold('a')
    names.start()
    await advance(10)
    names.letGo('a')
    await advance(6000)
    assert.equal(asked.length, 2)
    names.letGo('a')
    names.hold('b')
    names.letGo('b')
    answer('b', [B])
    await advance(60_000)
    assert.deepEqual([...names.known], [])
    assert.equal(pending(), 0)
    // Somebody who still connects gets an answer, and it is not kept.
    const late = resolve('a')
    await advance(10)
    assert.deepEqual(late.came, [A])
    assert.deepEqual([...names.known], [])
  })

  it('are looked up only for those who wait for them once they are stopped', async () => {
    const { names, world, asked, answer, pending, resolve, advance } = setup()
    world['a'] = [A]
    world['c'] = [B]
    for (const name of ['a', 'b', 'c']) names.hold(name)
    names.start()
    await advance(10)
    const waits = resolve('b')
    names.stop()
    assert.deepEqual(resolve('a').came, [A])
    answer('b', [B])
    assert.deepEqual(waits.came, [B])
    const late = resolve('d')
    answer('d', [A])
    assert.deepEqual(late.came, [A])
    await advance(60_000)
    assert.deepEqual(asked, ['a', 'b', 'c', 'd'])
    assert.equal(pending(), 0)
  })

  it('whatever happens, have one look-up each, no more than the slots, and an answer for everybody', async () => {
    const what = fc.constantFrom<readonly string[] | string>([A], [B, A], [SIX], 'EAI_AGAIN', 'ENOTFOUND')
    const step = fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), what, ms: fc.nat(9000) })
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.array(step, { maxLength: 30 }),
        async (slots, steps) => {
          const { names, world, resolve, advance, most } = setup({ slots })
          for (const name of ['a', 'b', 'c', 'd']) {
            world[name] = 'EAI_AGAIN'
            names.hold(name)
          }
          names.start()
          const asked: ReturnType<typeof resolve>[] = []
          for (const { name, what, ms } of steps) {
            world[name] = what
            asked.push(resolve(name))
            await advance(ms)
          }
          await advance(100)
          assert.ok(asked.every(({ came }) => came !== undefined && came.length > 0))
          assert.ok(most() <= slots)
        },
      ),
      { numRuns: 60, seed: 7 },
    )
  })
})

describe('what sockets look up', () => {
  it('is the name of an origin, if it has one that can change', () => {
    assert.equal(nameOf('http://Users.Internal:8080'), 'users.internal')
    assert.equal(nameOf('https://users'), 'users')
    for (const origin of [
      'http://10.0.0.1',
      'http://[::1]:80',
      'unix:/run/app.sock',
      'http://localhost:1',
      'http://a.localhost',
    ])
      assert.equal(nameOf(origin), undefined, origin)
  })

  it('takes half of the threads, as libuv has it', () => {
    assert.deepEqual([1, 4, 5, 16].map(lookupSlots), [1, 2, 3, 8])
  })

  it('is answered in both of the forms that node:net asks for, localhost without anybody being asked', () => {
    const lookup = lookupBy({
      resolve: (name, resolved) =>
        name === 'none' ? resolved(failure('ENOTFOUND'), []) : resolved(undefined, addresses([A, SIX])),
    })
    const seen: unknown[][] = []
    const note = (...result: unknown[]): void => void seen.push(result)
    lookup('a', { all: true }, note)
    lookup('a', {}, note)
    lookup('localhost', { all: true }, note)
    lookup('none', { all: true }, note)
    assert.deepEqual(seen.slice(0, 3), [
      [null, addresses([A, SIX])],
      [null, A, 4],
      [null, addresses(['127.0.0.1', '::1'])],
    ])
    assert.equal((seen[3]?.[0] as { code?: string } | undefined)?.code, 'ENOTFOUND')
  })
})
