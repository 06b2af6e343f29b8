/** W3C Trace Context, level 2: the cases of the validation suite (w3c/trace-context, test/test.py), and our own. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { randomIds } from '../../plugins/tracing/ids.ts'
import { chosen, worthKeeping } from '../../plugins/tracing/sampling.ts'
import { beginTrace, writeTrace } from '../../plugins/tracing/trace.ts'
import { formatTraceparent, parseTraceparent } from '../../plugins/tracing/traceparent.ts'
import { parseTracestate } from '../../plugins/tracing/tracestate.ts'
import { seededDice } from '../support/dice.ts'

const TRACE = '12345678901234567890123456789012'
const SPAN = '1234567890123456'
const GOOD = `00-${TRACE}-${SPAN}-01`

function seededIds(seed = 1) {
  const dice = seededDice(seed)
  return randomIds(Buffer.alloc(256), (pool) => {
    for (let i = 0; i < pool.length; i++) pool[i] = dice() * 256
  })
}

/** What a target is sent for what a client sent. */
function forwarded(headers: readonly (readonly [string, string])[], { believed = true, ratio = 1 } = {}) {
  const joined = (name: string) => {
    const values = headers.filter(([one]) => one.toLowerCase() === name).map(([, value]) => value)
    return values.length === 0 ? undefined : values.join(', ')
  }
  const ids = seededIds()
  const trace = beginTrace(joined('traceparent'), joined('tracestate'), believed, ids, ratio)
  const sent = ['host', 'a', ...headers.flatMap(([name, value]) => [name.toLowerCase(), value])]
  writeTrace(sent, trace, ids.span())
  const all = (name: string) => sent.filter((_, i) => i % 2 === 1 && sent[i - 1] === name)
  const [parent] = all('traceparent') as [string]
  assert.equal(all('traceparent').length, 1)
  assert.match(parent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$/)
  const [, traceId, spanId, flags] = parent.split('-') as [string, string, string, string]
  assert.notEqual(spanId, SPAN)
  return { traceId, spanId, flags, state: all('tracestate'), trace }
}

const REFUSED: Readonly<Record<string, readonly string[]>> = {
  'version 00 with more': [`${GOOD}.`, `${GOOD}-what-the-future-will-be-like`],
  'version cc with more but no dash': [`cc${GOOD.slice(2)}.what-the-future-will-be-like`],
  'version ff': [`ff${GOOD.slice(2)}`],
  'version with illegal characters': [`.0${GOOD.slice(2)}`, `0.${GOOD.slice(2)}`],
  'version too long': [`0${GOOD}`, `00${GOOD}`],
  'version too short': [GOOD.slice(1)],
  'trace id of zeros': [`00-${'0'.repeat(32)}-${SPAN}-01`],
  'trace id with illegal characters': [
    `00-.${TRACE.slice(1)}-${SPAN}-01`,
    `00-${TRACE.slice(1)}.-${SPAN}-01`,
  ],
  'trace id too long': [`00-${TRACE}3-${SPAN}-01`],
  'trace id too short': [`00-${TRACE.slice(1)}-${SPAN}-01`],
  'parent id of zeros': [`00-${TRACE}-${'0'.repeat(16)}-01`],
  'parent id with illegal characters': [
    `00-${TRACE}-.${SPAN.slice(1)}-01`,
    `00-${TRACE}-${SPAN.slice(1)}.-01`,
  ],
  'parent id too long': [`00-${TRACE}-${SPAN}7-01`],
  'parent id too short': [`00-${TRACE}-${SPAN.slice(1)}-01`],
  'flags with illegal characters': [`00-${TRACE}-${SPAN}-.0`, `00-${TRACE}-${SPAN}-0.`],
  'flags too long': [`00-${TRACE}-${SPAN}-001`],
  'flags too short': [`00-${TRACE}-${SPAN}-1`],
  'upper case': [
    GOOD.replace('12345678901', 'ABCDEF78901'),
    `00-${TRACE}-ABCDEF7890123456-01`,
    `0A${GOOD.slice(2)}`,
  ],
  'future version that is too short': [`cc-${TRACE}-${SPAN}-0`, `cc-${TRACE}-${SPAN}`],
  nothing: ['', '-', ' '],
}

describe('traceparent', () => {
  for (const [what, values] of Object.entries(REFUSED)) {
    it(`${what}: a new trace begins, and tracestate goes`, () => {
      for (const value of values) {
        const { traceId, state, trace } = forwarded([
          ['traceparent', value],
          ['tracestate', 'foo=1'],
        ])
        assert.notEqual(traceId, TRACE)
        assert.deepEqual([state, trace.link, trace.parentId], [[], undefined, undefined])
      }
    })
  }

  it('twice is none', () => {
    const { traceId } = forwarded([
      ['traceparent', GOOD.replace('12-', '11-')],
      ['traceparent', GOOD],
    ])
    assert.ok(!traceId.startsWith(TRACE.slice(0, -2)))
  })

  it('is found under its own name only, in any case, with blanks around it', () => {
    for (const name of ['trace-parent', 'trace.parent'])
      assert.notEqual(forwarded([[name, GOOD]]).traceId, TRACE)
    for (const name of ['TraceParent', 'TrAcEpArEnT', 'TRACEPARENT'])
      assert.equal(forwarded([[name, GOOD]]).traceId, TRACE)
    for (const value of [` ${GOOD}`, `\t${GOOD}`, `${GOOD} `, `${GOOD}\t`, `\t ${GOOD} \t`])
      assert.equal(forwarded([['traceparent', value]]).traceId, TRACE)
    // Blanks are spaces and tabs (RFC 9110, 5.6.3).
    for (const value of [`\u00a0${GOOD}`, `${GOOD}\ufeff`, `\u000b${GOOD}`])
      assert.notEqual(forwarded([['traceparent', value]]).traceId, TRACE)
  })

  it('of a version to come is read by its beginning, and passed on as version 00', () => {
    for (const value of [
      `cc${GOOD.slice(2)}`,
      `cc${GOOD.slice(2)}-what-the-future-will-be-like`,
      `01${GOOD.slice(2)}-`,
    ])
      assert.equal(forwarded([['traceparent', value]]).traceId, TRACE)
  })

  it('has its sampled and random flags passed on and no other; a new trace is random', () => {
    for (const [given, passed] of [
      ['00', '00'],
      ['01', '01'],
      ['02', '02'],
      ['03', '03'],
      ['ff', '03'],
      ['f8', '00'],
      ['09', '01'],
    ])
      assert.equal(forwarded([['traceparent', `00-${TRACE}-${SPAN}-${given}`]]).flags, passed)
    assert.equal(forwarded([]).flags, '03')
    assert.equal(forwarded([], { ratio: 0 }).flags, '02')
  })

  it('of a caller that is not believed: a new trace, chosen anew, with a link to the old one', () => {
    const { traceId, state, flags, trace } = forwarded(
      [
        ['traceparent', GOOD],
        ['tracestate', 'foo=1'],
      ],
      { believed: false, ratio: 0 },
    )
    assert.notEqual(traceId, TRACE)
    assert.deepEqual([state, flags, trace.parentId], [[], '02', undefined])
    assert.deepEqual(trace.link, { traceId: TRACE, parentId: SPAN, flags: 1 })
  })

  it('is read as it is written, and nothing else is read as one', () => {
    const hex = (digits: number) =>
      fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: digits, maxLength: digits })
    const id = (digits: number) => hex(digits).filter((one) => !/^0+$/.test(one))
    fc.assert(
      fc.property(id(32), id(16), fc.integer({ min: 0, max: 3 }), (traceId, parentId, flags) => {
        assert.deepEqual(parseTraceparent(formatTraceparent(traceId, parentId, flags)), {
          traceId,
          parentId,
          flags,
        })
      }),
    )
    fc.assert(
      fc.property(fc.nat(54), fc.string({ minLength: 1, maxLength: 1 }), (at, other) => {
        const changed = GOOD.slice(0, at) + other + GOOD.slice(at + 1)
        const parsed = parseTraceparent(changed)
        if (parsed !== undefined)
          assert.match(
            changed.replace(/^[ \t]+/, ''),
            /^(?!ff)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}/,
          )
      }),
    )
  })
})

const all = (count: number) => Array.from({ length: count }, (_, i) => `bar${i}=${i}`)
const KEY = `${'abcdefghijklmnopqrstuvwxyz'}0123456789_-*/`
const PRINTABLE = Array.from({ length: 0x7f - 0x20 }, (_, i) => String.fromCharCode(i + 0x20)).join('')
const VALUE = PRINTABLE.replace(/[,=]/g, '')

describe('tracestate', () => {
  const passed: readonly (readonly [string, readonly string[], string])[] = [
    ['as it came', ['foo=1,bar=2'], 'foo=1,bar=2'],
    [
      'over several headers, in their order',
      ['foo=1,bar=2', 'rojo=1,congo=2', 'baz=3'],
      'foo=1,bar=2,rojo=1,congo=2,baz=3',
    ],
    ['with empty headers between', ['', 'foo=1', ''], 'foo=1'],
    ['with blanks around its members', ['\t foo=1 \t , \t bar=2,\t \tbaz=3\t'], 'foo=1,bar=2,baz=3'],
    ['with blanks in a value and before it', ['foo= a b'], 'foo= a b'],
    ['with all characters there are', [`${KEY}=${VALUE}`], `${KEY}=${VALUE}`],
    ['with a tenant', [`${KEY}@a-z0-9_-*/=1`], `${KEY}@a-z0-9_-*/=1`],
    ['with the longest key', [`foo=1,${'z'.repeat(256)}=1`], `foo=1,${'z'.repeat(256)}=1`],
    [
      'with the longest tenant of level 1',
      [`${'t'.repeat(241)}@${'v'.repeat(14)}=1`],
      `${'t'.repeat(241)}@${'v'.repeat(14)}=1`,
    ],
    ['with the longest value', [`foo=${'v'.repeat(256)}`], `foo=${'v'.repeat(256)}`],
    ['with 32 members', [all(10).join(','), all(32).slice(10).join(',')], all(32).join(',')],
    ['with a digit first', ['1a-2f@foo=bar'], '1a-2f@foo=bar'],
    // Level 1 refused these: it had one @ at most, with a system's name behind it.
    [
      'with an @ anywhere but first (level 2)',
      ['foo@=1,foo@@bar=2,foo@bar@baz=3'],
      'foo@=1,foo@@bar=2,foo@bar@baz=3',
    ],
  ]
  for (const [what, values, expected] of passed) {
    it(`is passed on ${what}`, () => {
      const { traceId, state } = forwarded([
        ['traceparent', GOOD],
        ...values.map((one) => ['tracestate', one] as const),
      ])
      assert.deepEqual([traceId, state], [TRACE, [expected]])
    })
  }

  const dropped: Readonly<Record<string, readonly string[]>> = {
    'that is empty': ['', ' ', ',', '\t, '],
    'with a key twice': ['foo=1,foo=1', 'foo=1,foo=2'],
    'with 33 members': [all(33).join(',')],
    'with an illegal key': [
      'foo =1',
      'FOO=1',
      'foo.bar=1',
      '@foo=1,bar=2',
      '=1',
      'foo',
      `${'z'.repeat(257)}=1`,
      '_a=1',
    ],
    'with an illegal value': ['foo=bar=baz', 'foo=,bar=3', 'foo=ä', 'foo=a\tb', `foo=${'v'.repeat(257)}`],
  }
  for (const [what, values] of Object.entries(dropped)) {
    it(`${what} goes, all of it, and the trace goes on`, () => {
      for (const value of values) {
        const { traceId, state } = forwarded([
          ['traceparent', GOOD],
          ['tracestate', value],
        ])
        assert.deepEqual([traceId, state], [TRACE, []], value)
      }
    })
  }

  it('that is mostly blanks takes no longer than any other of its length', () => {
    const blanks = `a=1,b=${' '.repeat(1_000_000)}=`
    assert.deepEqual(
      forwarded([
        ['traceparent', GOOD],
        ['tracestate', blanks],
      ]).state,
      [],
    )
  })

  it('without a traceparent is no trace; under another name it is none', () => {
    assert.deepEqual(forwarded([['tracestate', 'foo=1']]).state, [])
    for (const name of ['trace-state', 'trace.state'])
      assert.deepEqual(
        forwarded([
          ['traceparent', GOOD],
          [name, 'foo=1'],
        ]).state,
        [],
      )
  })

  it('that is passed on is valid, whatever came, and is passed on again as it is', () => {
    const piece = fc.oneof(fc.constantFrom('a=1', ',', ' ', '=', '@', 'b', '\t'), fc.string({ maxLength: 3 }))
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const once = parseTracestate(pieces.join(''))
        if (once === undefined) return
        assert.equal(parseTracestate(once), once)
        assert.match(once, /^[\x21-\x7e][\x20-\x7e]*$/)
      }),
    )
  })
})

describe('ids and choices', () => {
  it('ids differ, and are never all zeros', () => {
    const ids = seededIds(7)
    const seen = new Set(Array.from({ length: 2000 }, (_, i) => (i % 2 === 0 ? ids.trace() : ids.span())))
    assert.equal(seen.size, 2000)
    let fills = 0
    const poor = randomIds(Buffer.alloc(16), (pool) => pool.fill(fills++ === 0 ? 0 : 0xab))
    assert.equal(poor.trace(), 'ab'.repeat(16))
  })

  it('a ratio chooses its share by the id, and a larger one chooses all that a smaller one does', () => {
    const ids = seededIds(11)
    const traces = Array.from({ length: 20_000 }, () => ids.trace())
    for (const ratio of [0.01, 0.1, 0.5]) {
      const taken = traces.filter((id) => chosen(id, ratio))
      const spread = 4.5 * Math.sqrt(ratio * (1 - ratio) * traces.length)
      assert.ok(Math.abs(taken.length - ratio * traces.length) < spread, `${ratio}: ${taken.length}`)
      assert.ok(taken.every((id) => chosen(id, ratio * 1.5)))
    }
    assert.deepEqual(
      [0, 1].map((ratio) => traces.filter((id) => chosen(id, ratio)).length),
      [0, traces.length],
    )
    // By the last 56 bits alone, as all who choose in this way do.
    assert.ok(chosen(`${'0'.repeat(18)}${'f'.repeat(14)}`, 1e-9))
    assert.ok(!chosen(`${'f'.repeat(18)}${'0'.repeat(14)}`, 0.999))
  })

  it('at the end failed and slow ones are kept, if that is asked for', () => {
    const fine = { status: 200, aborted: false, totalMs: 50 }
    const all = { ratio: 0, errors: true, slowerThan: 1000 }
    assert.ok(!worthKeeping(fine, all))
    assert.ok(worthKeeping({ ...fine, status: 503 }, all))
    assert.ok(worthKeeping({ ...fine, aborted: true }, all))
    assert.ok(worthKeeping({ ...fine, status: 0 }, all), 'one that got nothing')
    assert.ok(worthKeeping({ ...fine, totalMs: 1001 }, all))
    assert.ok(
      !worthKeeping({ ...fine, status: 101, totalMs: 1e6 }, all),
      'a tunnel is as long as it is wanted',
    )
    assert.ok(!worthKeeping({ status: 500, aborted: true, totalMs: 1e6 }, { ratio: 0, errors: false }))
  })
})
