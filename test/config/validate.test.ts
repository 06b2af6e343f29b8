import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  byUpstream,
  custom,
  decimal,
  duration,
  flag,
  guarded,
  integer,
  list,
  nonEmptyList,
  object,
  oneOf,
  optional,
  record,
  section,
  shorthand,
  size,
  text,
  upstreamName,
  withDefault,
} from '../../plugins/config/kit.ts'
import { written } from '../../plugins/config/messages.ts'
import { freezePlain } from '../../plugins/config/plain.ts'
import { validate } from '../../plugins/config/validate.ts'

const even = custom<number>((value) => ((value as number) % 2 === 0 ? undefined : 'is odd'), {
  remedy: 'add 1',
})
const SCHEMA = object({
  upstreams: optional(record(object({}), { names: '^[a-z]+$' })),
  word: optional(text({ pattern: '^[a-z]+$', remedy: 'use small letters' })),
  name: optional(text({ minLength: 1 })),
  count: optional(integer({ minimum: 1, maximum: 9 })),
  ratio: optional(decimal({ minimum: 0, maximum: 1, remedy: '0.2 is a fifth' })),
  on: optional(flag()),
  mode: optional(oneOf(['fast', 'slow'])),
  tier: optional(oneOf([0, 1])),
  wait: optional(duration({ minimum: '10ms', maximum: '1m' })),
  size: optional(size({ minimum: 1, maximum: '1MiB' })),
  to: optional(upstreamName()),
  split: optional(byUpstream(decimal({ minimum: 0 }))),
  even: optional(even),
  items: optional(list(integer())),
  targets: optional(nonEmptyList(object({ origin: text() }), { noun: 'target' })),
  headers: optional(record(text())),
  redirect: optional(shorthand('to', object({ to: text(), status: withDefault(integer(), 308) }))),
  anything: optional(custom<unknown>(() => undefined)),
  picky: optional(custom<string>((value) => `"${value}" is none`, { remedy: 'give up' })),
  gate: guarded(
    optional(object({ allow: optional(list(text())), deep: optional(object({ key: optional(text()) })) })),
  ),
  kinds: guarded(optional(object({}, { open: true }) as never)),
  free: optional(object({ lock: guarded(withDefault(flag(), true)), note: optional(text()) })),
  limits: section({
    wait: withDefault(duration(), '3s'),
    deep: section({ size: withDefault(size(), '64KiB') }),
  }),
})

/** The messages about `input`, as `path: message`. */
function told(input: unknown): string[] {
  return validate(SCHEMA, input).problems.map(({ path, message }) => `${path}: ${message}`)
}

describe('a problem says what is wrong and what to do', () => {
  const CASES: [input: object, message: string][] = [
    [{ cuont: 1 }, 'cuont: unknown key; did you mean "count"?'],
    [{ limits: { wiat: 1 } }, 'limits.wiat: unknown key; did you mean "wait"?'],
    [{ limits: { deep: { zzz: 1 } } }, 'limits.deep.zzz: unknown key; there is "size"'],
    [{ word: 'A' }, 'word: "A" is not of the right form; use small letters'],
    [{ name: '' }, 'name: must not be empty'],
    [{ name: 5 }, 'name: must be text, is 5'],
    [{ name: null }, 'name: must be text, is null'],
    [{ word: 'A'.repeat(300) }, `word: "${'A'.repeat(200)}..." is not of the right form; use small letters`],
    [{ name: () => {} }, 'name: must be text, is a function'],
    [{ count: 0 }, 'count: must be at least 1, is 0'],
    [{ count: 10 }, 'count: must be at most 9, is 10'],
    [{ count: 1.5 }, 'count: must be a whole number, is 1.5'],
    [{ count: '3' }, 'count: must be a whole number, is "3"'],
    [{ count: Number.NaN }, 'count: must be a whole number, is NaN'],
    [{ ratio: 2 }, 'ratio: must be at most 1, is 2; 0.2 is a fifth'],
    [{ ratio: Number.NaN }, 'ratio: must be a number, is NaN; 0.2 is a fifth'],
    [{ ratio: '1' }, 'ratio: must be a number, is "1"; 0.2 is a fifth'],
    [{ on: 'yes' }, 'on: must be true or false, is "yes"'],
    [{ mode: 'fsat' }, 'mode: "fsat" is not one of the choices; did you mean "fast"?'],
    [{ mode: 7 }, 'mode: 7 is not one of the choices; there is "fast", "slow"'],
    [{ tier: 2 }, 'tier: must be one of 0, 1, is 2'],
    [{ tier: '1' }, 'tier: must be one of 0, 1, is "1"'],
    [{ wait: '5 sec' }, 'wait: must be a duration like "250ms", "2s" or milliseconds, is "5 sec"'],
    [{ wait: '1ms' }, 'wait: must be at least 10ms, is "1ms"'],
    [{ wait: 60_001 }, 'wait: must be at most 1m, is 60001'],
    [{ size: '1KB' }, 'size: must be a size like "64KiB", "10MiB" or bytes, is "1KB"'],
    [{ size: '2MiB' }, 'size: must be at most 1MiB, is "2MiB"'],
    [{ size: 0 }, 'size: must be at least 1, is 0'],
    // A timer of more than 2^31 ms fires at once.
    [{ limits: { wait: '30d' } }, 'limits.wait: must be at most 24d, is "30d"'],
    [{ limits: { wait: 2 ** 31 } }, 'limits.wait: must be at most 24d, is 2147483648'],
    [{ to: 'user', upstreams: { users: {} } }, 'to: no upstream is named "user"; did you mean "users"?'],
    [{ to: 'user', upstreams: {} }, 'to: no upstream is named "user"; there are none'],
    [{ to: 'toString', upstreams: {} }, 'to: no upstream is named "toString"; there are none'],
    [{ to: 5, upstreams: { users: {} } }, 'to: no upstream is named 5; there is "users"'],
    [
      { split: { user: 1 }, upstreams: { users: {} } },
      'split: no upstream is named "user"; did you mean "users"?',
    ],
    [{ split: {}, upstreams: { users: {} } }, 'split: needs at least one entry'],
    [{ even: 3 }, 'even: is odd; add 1'],
    [{ items: 1 }, 'items: must be a list, is 1'],
    [{ items: [1, 'x'] }, 'items[1]: must be a whole number, is "x"'],
    [{ targets: [] }, 'targets: needs at least one target'],
    [{ targets: [{}] }, 'targets[0].origin: is required'],
    [{ targets: [undefined] }, 'targets[0]: must be an object, is undefined'],
    [{ headers: { 'x-a': 1 } }, 'headers["x-a"]: must be text, is 1'],
    [{ headers: { 'a"b/c~d': 1 } }, 'headers["a\\"b/c~d"]: must be text, is 1'],
    [{ headers: { 7: 1 } }, 'headers["7"]: must be text, is 1'],
    [
      { upstreams: { 'A b': {} } },
      'upstreams["A b"]: is not a good name; use letters, digits, "-", "_" and "."',
    ],
    [{ limits: [] }, 'limits: must be an object, is a list'],
    [{ redirect: 5 }, 'redirect.to: must be text, is 5'],
  ]
  for (const [input, message] of CASES) {
    it(message, () => assert.deepEqual(told(input), [message]))
  }

  it('and all of them are found at once', () => {
    const all = Object.assign({ upstreams: { users: {} } }, ...CASES.map(([input]) => input), {
      upstreams: { a: {} },
    })
    assert.ok(told(all).length >= new Set(CASES.flatMap(([input]) => Object.keys(input))).size - 1)
    assert.equal(told({ count: 'x', on: 1, wait: 'y', targets: [{}, {}] }).length, 5)
  })

  for (const input of [null, undefined, 5, 'text', []]) {
    it(`a config that is ${JSON.stringify(input)} is none`, () => {
      assert.equal(validate(SCHEMA, input).problems.length, 1)
    })
  }
})

describe('what is no plain data is refused and left alone', () => {
  class Limits {
    wait = '1s'
  }
  const getter = (get: () => unknown) => Object.defineProperty({}, 'count', { get, enumerable: true })
  const circle: { limits: Record<string, unknown> } = { limits: {} }
  circle.limits['wait'] = circle
  let deep: unknown = 'x'
  for (let i = 0; i < 5000; i++) deep = { deep }
  const cases: [input: unknown, message: RegExp][] = [
    [{ limits: new Map([['wait', '1s']]) }, /^limits: must be an object, is a Map$/],
    [{ limits: new Date(0) }, /^limits: must be an object, is a Date$/],
    [{ limits: /x/ }, /^limits: must be an object, is a RegExp$/],
    [{ limits: Promise.resolve({}) }, /^limits: must be an object, is a Promise$/],
    [{ limits: new Limits() }, /^limits: must be an object, is a Limits$/],
    [{ limits: Object.create({ wait: '1s' }) }, /^limits: must be an object, is an object with a prototype/],
    [{ headers: new Headers({ a: 'b' }) }, /^headers: must be an object, is a Headers$/],
    [{ items: new Set([1]) }, /^items: must be a list, is a Set$/],
    [{ items: Uint8Array.of(1) }, /^items: must be a list, is a Uint8Array$/],
    [{ split: new Map() }, /^split: must be an object, is a Map$/],
    [new Map(), /^: must be an object, is a Map$/],
    [Promise.resolve({}), /^: must be an object, is a Promise$/],
    [circle, /^limits\.wait: contains itself/],
    [{ anything: deep }, /^anything\.deep.*: is nested deeper than \d+ levels/],
    [
      getter(() => {
        throw new Error('the vault is shut')
      }),
      /^count: cannot be read: the vault is shut/,
    ],
    [{ mode: Symbol('fast') }, /^mode: Symbol\(fast\) is not one of the choices; there is/],
    [{ mode: [Symbol('fast')] }, /^mode: a list is not one of the choices; there is/],
    [{ mode: { toString: 1 } }, /^mode: an object is not one of the choices; there is/],
    [{ to: [Symbol('x')], upstreams: { users: {} } }, /^to: no upstream is named a list/],
    [{ to: { toString: 1 }, upstreams: { users: {} } }, /^to: no upstream is named an object/],
    [{ upstreams: 5, to: 'users' }, /^upstreams: must be an object, is 5$/],
    [{ count: 5n }, /^count: must be a whole number, is 5n$/],
    [{ name: Object.create(null) }, /^name: must be text, is an object$/],
    [{ picky: Symbol('x') }, /^picky: is Symbol\(x\); give up$/],
    [{ picky: { toString: 1 } }, /^picky: is an object; give up$/],
  ]
  for (const [input, message] of cases) {
    it(String(message), () => assert.match(told(input)[0] ?? 'taken', message))
  }

  it('an instance is not written to', () => {
    const mine = { limits: new Limits(), anything: { inner: new Limits() } }
    freezePlain(validate(SCHEMA, mine).value)
    assert.deepEqual(Object.entries(mine.limits), [['wait', '1s']])
    mine.anything.inner.wait = '2s'
  })

  it('a getter is read once: what was checked is what is used', () => {
    let asked = 0
    const { value, problems } = validate(
      SCHEMA,
      getter(() => (asked++ === 0 ? 3 : 'later')),
    )
    assert.deepEqual(problems, [])
    assert.equal((value as { count: number }).count, 3)
  })

  it('lists and objects that are used twice are none the worse for it', () => {
    const one = { origin: 'x' }
    assert.deepEqual(told({ targets: [one, one], anything: [one, { one }] }), [])
  })
})

describe('a variable that is not set opens no door', () => {
  const unset = process.env['HOLDFAST_NO_SUCH_VARIABLE']
  const remedy = 'give it a value, or leave the key out'
  const cases: [input: object, path: string][] = [
    [{ gate: unset }, 'gate'],
    [{ gate: { allow: unset } }, 'gate.allow'],
    [{ gate: { deep: { key: unset } } }, 'gate.deep.key'],
    [{ free: { lock: unset } }, 'free.lock'],
    [{ kinds: { mine: unset } }, 'kinds.mine'],
    [{ kinds: { mine: [{ secret: unset }] } }, 'kinds.mine[0].secret'],
    [{ headers: { 'x-key': unset } }, 'headers["x-key"]'],
    [{ upstreams: { a: {} }, split: { a: unset } }, 'split.a'],
  ]
  for (const [input, path] of cases) {
    it(`${path} is refused`, () =>
      assert.deepEqual(told(input), [`${path}: is undefined, as a variable is that is not set; ${remedy}`]))
  }

  it('elsewhere it is left out, and what is unknown stays unknown', () => {
    const { value, problems } = validate(SCHEMA, { free: { note: unset }, anything: { a: unset } })
    assert.deepEqual(problems, [])
    assert.deepEqual((value as { free: object }).free, { lock: true })
    assert.deepEqual((value as { anything: object }).anything, {})
    assert.deepEqual(told({ cuont: unset }), ['cuont: unknown key; did you mean "count"?'])
  })
})

describe('what comes out', () => {
  it('has units read, shorthands written out and defaults filled in', () => {
    const { value, problems } = validate(SCHEMA, { wait: '2s', size: '1KiB', redirect: '/x' })
    assert.deepEqual(problems, [])
    assert.deepEqual(value, {
      wait: 2000,
      size: 1024,
      redirect: { to: '/x', status: 308 },
      limits: { wait: 3000, deep: { size: 65_536 } },
    })
  })

  it('leaves what went in as it was', () => {
    const input = { wait: '2s', redirect: '/x', limits: {}, upstreams: { a: {} }, name: undefined }
    const before = structuredClone(input)
    freezePlain(input)
    const { value } = validate(SCHEMA, input)
    assert.deepEqual(input, before)
    assert.notEqual((value as typeof input).upstreams, input.upstreams)
  })

  it('takes undefined for left out, as `process.env` has it', () => {
    const { value, problems } = validate(SCHEMA, {
      name: process.env.HOLDFAST_NO_SUCH_VARIABLE,
      limits: undefined,
    })
    assert.deepEqual(problems, [])
    assert.deepEqual(Object.keys(value as object), ['limits'])
  })

  it('keeps regular expressions, functions and class instances as they are', () => {
    const kept = { regex: /x/g, fn: () => 1, date: new Date(0), bytes: Buffer.from('x') }
    const { value } = validate(SCHEMA, { anything: kept })
    const { anything } = freezePlain(value) as { anything: typeof kept }
    for (const key of ['regex', 'fn', 'date', 'bytes'] as const) assert.equal(anything[key], kept[key])
    anything.regex.lastIndex = 0
    assert.ok(Object.isFrozen(anything))
  })

  it('shares no default with the next', () => {
    const [one, two] = [1, 2].map(() => validate(SCHEMA, {}).value as { limits: object })
    assert.notEqual(one?.limits, two?.limits)
  })

  it('is frozen to the ground by freezePlain', () => {
    const { value } = validate(SCHEMA, { targets: [{ origin: 'x' }] })
    const frozen = freezePlain(value) as { targets: { origin: string }[]; limits: { deep: { size: number } } }
    assert.throws(() => frozen.targets.push({ origin: 'y' }), TypeError)
    assert.throws(() => Object.assign(frozen.targets[0] as object, { origin: 'y' }), TypeError)
    assert.throws(() => Object.assign(frozen.limits.deep, { size: 1 }), TypeError)
  })

  it('has no prototype that a JSON config put there', () => {
    const { problems } = validate(SCHEMA, JSON.parse('{"__proto__": {"count": 1}}'))
    assert.equal(problems[0]?.path, '__proto__')
    assert.equal(({} as { count?: number }).count, undefined)
  })
})

it('a path is written as it stands in the file', () => {
  assert.equal(written('routes', 0, 'headers', 'x-a'), 'routes[0].headers["x-a"]')
  assert.equal(written('upstreams', 'my.users', 'targets', 12), 'upstreams["my.users"].targets[12]')
  assert.equal(written(), '')
})
