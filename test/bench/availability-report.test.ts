import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Figures } from '../../bench/availability/judge.ts'
import { calmTable, faultTable, goals, table } from '../../bench/availability/report.ts'

const calm = new Map([['holdfast', { p50: 1, p99: 3, p999: 10 }]])

function figures(given: Partial<Figures> = {}): Figures {
  return {
    requests: 2100,
    failedGets: 0,
    failedPosts: 0,
    twice: 0,
    lost: 0,
    p50: 1,
    p99: 3,
    p999: 20,
    longest: 25,
    calmAfter: 0,
    reasons: {},
    late: 1,
    ...given,
  }
}

function verdicts(faults: Record<string, Partial<Figures>>): string[] {
  const results = Object.entries(faults).map(
    ([fault, given]) => [fault, new Map([['holdfast', figures(given)]])] as const,
  )
  return goals(new Map(results), calm)
}

test('a table aligns its columns', () => {
  assert.equal(
    table([
      ['name', 'ms'],
      ['a', '12.5'],
      ['longer', '1'],
    ]),
    ['name      ms', '------  ----', 'a       12.5', 'longer     1'].join('\n'),
  )
})

test('a fault is one line per gateway, and below it why requests failed', () => {
  const text = faultTable(
    new Map([
      ['holdfast', figures()],
      [
        'nginx',
        figures({ failedGets: 3, failedPosts: 1, p999: 604.4, reasons: { '504': 1, 'body cut': 3 } }),
      ],
      ['caddy', figures({ p50: Number.NaN, lost: 1, late: 50 })],
    ]),
  )
  const lines = text.split('\n').map((line) => line.replace(/ +/g, ' '))
  assert.deepEqual(lines.slice(2), [
    'holdfast 0 0 0 1.0 3.0 20.0 25.0 0',
    'nginx 3 1 0 1.0 3.0 604 25.0 0',
    'caddy 0 0 0 - 3.0 20.0 25.0 0',
    ' nginx failed with 3 x body cut, 1 x 504',
    ' Doubtful: caddy answered 1 POSTs that no target has executed',
    ' Doubtful times: the load itself was late by up to 50.0 ms with caddy; is the machine busy?',
  ])
})

test('the calm table has the quantiles', () => {
  assert.match(calmTable(calm), /\nholdfast +1\.0 +3\.0 +10\.0$/)
})

test('goals that are met say how close it was', () => {
  const lines = verdicts({ killed: {}, frozen: { failedPosts: 2, p999: 30, calmAfter: 1500 } })
  assert.deepEqual(lines.slice(1), [
    '  no failed GET: met',
    '  no POST executed twice: met',
    '  at most 2 failed POSTs per fault: met; the most is frozen 2',
    '  p99.9 at most 3 x calm p99.9 = 30.0 ms: met; the most is frozen 30.0',
    '  calm within 2000 ms after each fault: met; the most is frozen 1500',
  ])
})

test('goals that are missed name every fault that misses them, the worst first', () => {
  const lines = verdicts({
    killed: { failedGets: 1, twice: 1, p999: 31 },
    frozen: { failedGets: 7, failedPosts: 3, p999: Number.NaN, calmAfter: 2001 },
    slow: {},
  })
  assert.deepEqual(lines.slice(1), [
    '  no failed GET: not met; frozen 7, killed 1',
    '  no POST executed twice: not met; killed 1',
    '  at most 2 failed POSTs per fault: not met; frozen 3',
    '  p99.9 at most 3 x calm p99.9 = 30.0 ms: not met; frozen -, killed 31.0',
    '  calm within 2000 ms after each fault: not met; frozen 2001',
  ])
})

test('while all targets are gone requests may fail, but not twice be executed', () => {
  const lines = verdicts({ killed: {}, 'all-gone': { failedGets: 200, failedPosts: 60, twice: 1 } })
  assert.match(lines[1]!, /: met$/)
  assert.match(lines[2]!, /not met; all-gone 1$/)
  assert.match(lines[3]!, /: met$/)
})

test('without holdfast there is no verdict, and none on what was left out', () => {
  assert.deepEqual(goals(new Map([['killed', new Map([['nginx', figures()]])]]), new Map()), [
    'Goals: holdfast was not measured.',
  ])
  assert.match(verdicts({ 'all-gone': {} })[1]!, /no failed GET: not measured/)
})
