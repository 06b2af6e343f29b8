import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Kind } from '../../bench/availability/answer.ts'
import { avoidable, wellAfterMs } from '../../bench/soak/avoidable.ts'
import { executionsOf, type Fate, Ledger } from '../../bench/soak/ledger.ts'
import { Output } from '../../bench/soak/output.ts'
import { type Facts, mib, type QuietState, type Sample, verdicts } from '../../bench/soak/verdicts.ts'

function ledgerOf(...endings: (readonly [fate: Fate, kind?: Kind])[]): Ledger {
  const ledger = new Ledger()
  for (const [i, [fate, kind = 'small']] of endings.entries()) {
    ledger.begin(kind, `id-${i}`, 0)
    ledger.end({ id: `id-${i}`, kind, fate, detail: '', at: 0, end: 1 })
  }
  return ledger
}

function quiet(changes: Partial<QuietState> = {}): QuietState {
  return {
    ...{ heap: 30 * mib, external: 8 * mib, resident: 150 * mib, descriptors: 30, sockets: 6, inflight: 0 },
    ...{ resources: { TCPServerWrap: 2 }, targets: ['a', 'b'] },
    ...changes,
  }
}

function samples(heapAt: (second: number) => number): Sample[] {
  return Array.from({ length: 300 }, (_, at) => ({
    ...{ at, phase: 'first', resident: 0, sockets: 0, inflight: 0, open: 0 },
    ...(at % 5 === 0 ? { heap: heapAt(at) } : {}),
  }))
}

/** A run with which all is well, but for what is changed; returns what failed. */
function failing(changes: Partial<Facts> = {}): string[] {
  const facts: Facts = {
    quiet: [quiet(), quiet(), quiet()],
    samples: samples((at) => 30 * mib + (at % 2) * mib),
    ledger: ledgerOf(
      ...Array.from({ length: 20 }, () => ['answered'] as const),
      ['status'],
      ['cut'],
      ['left'],
    ),
    twice: 0,
    lost: 0,
    outputProblems: 0,
    problems: [],
    drain: { ledger: ledgerOf(['answered'], ['left']), ended: 'exit code 0', ms: 4000 },
    ...changes,
  }
  return verdicts(facts).flatMap(({ name, ok }) => (ok ? [] : [name]))
}

test('nothing fails where all is well', () => {
  assert.deepEqual(failing(), [])
})

test('what is there after a quiet phase and was not before is judged', () => {
  const last = (changes: Partial<QuietState>) => failing({ quiet: [quiet(), quiet(), quiet(changes)] })
  assert.deepEqual(last({ heap: 32 * mib }), [])
  assert.deepEqual(last({ heap: 34 * mib }), ['heap back after each quiet phase'])
  assert.deepEqual(last({ external: 11 * mib }), ['memory outside the heap'])
  assert.deepEqual(last({ resident: 200 * mib }), ['resident memory'])
  assert.deepEqual(last({ descriptors: 31 }), ['open sockets and files'])
  assert.deepEqual(last({ resources: { TCPServerWrap: 2, TCPSocketWrap: 1 } }), [
    'what the event loop waits for',
  ])
  assert.deepEqual(last({ inflight: 1 }), ['in flight with nothing to do'])
  assert.deepEqual(last({ targets: ['a'] }), ['targets as they were'])
  assert.deepEqual(last({ targets: ['b', 'a'] }), [])
})

test('a heap that grows steadily under load fails, one that only moves does not', () => {
  assert.deepEqual(failing({ samples: samples((at) => (30 + at / 60) * mib + (at % 2) * mib) }), [
    'heap under load, after collections',
  ])
  assert.deepEqual(failing({ samples: samples((at) => (30 + 5 * Math.sin(at)) * mib) }), [])
  assert.deepEqual(failing({ samples: [] }), ['heap under load, after collections'])
})

test('requests: every bad end has its verdict, statuses and cuts have none', () => {
  const many = Array.from({ length: 50 }, () => ['answered'] as const)
  const ends = (fate: Fate) => failing({ ledger: ledgerOf(...many, [fate]) })
  assert.deepEqual(ends('hung'), ['requests without an end'])
  assert.deepEqual(ends('unanswered'), ['requests without an answer'])
  assert.deepEqual(ends('wrong'), ['wrong answers'])
  assert.deepEqual(ends('status'), [])
  assert.deepEqual(ends('cut'), [])
  const open = ledgerOf(...many)
  open.begin('small', 'never-ends', 0)
  assert.deepEqual(failing({ ledger: open }), ['requests without an end'])
  assert.deepEqual(failing({ ledger: ledgerOf(['answered'], ['status']) }), [
    'enough is answered to mean anything',
  ])
})

test('the rest: POSTs, output, changes that failed, the drain', () => {
  assert.deepEqual(failing({ twice: 1 }), ['POSTs executed twice'])
  assert.deepEqual(failing({ lost: 1 }), ['POSTs answered and not executed'])
  assert.deepEqual(failing({ outputProblems: 1 }), ['warnings and errors in the output'])
  assert.deepEqual(failing({ problems: ['replace: still there'] }), ['faults and changes that failed'])
  const drained = { ledger: ledgerOf(['answered']), ended: 'exit code 0', ms: 1 }
  assert.deepEqual(failing({ drain: { ...drained, ended: 'exit code 1' } }), ['exit code 0 on SIGTERM'])
  for (const fate of ['status', 'cut', 'unanswered'] as const) {
    assert.deepEqual(failing({ drain: { ...drained, ledger: ledgerOf([fate]) } }), ['lost while draining'])
  }
})

test('POSTs are held against what the targets have executed', () => {
  const ledger = ledgerOf(
    ['answered', 'orders'],
    ['cut', 'orders'],
    ['answered', 'orders'],
    ['left', 'orders'],
  )
  const { posts, twice, lost } = executionsOf(
    ledger,
    new Map([
      ['id-0', 1],
      ['id-1', 2],
      ['id-3', 1],
    ]),
  )
  assert.deepEqual({ posts, twice, lost }, { posts: 4, twice: ['id-1'], lost: ['id-2'] })
})

test('the output: requests and events are counted, warnings and errors kept, whatever pieces they come in', () => {
  const output = new Output()
  const lines = [
    '{"level":30,"url":"/small/1","msg":"request"}',
    '{"level":40,"event":"ejected","msg":"ejected"}',
    '{"level":50,"msg":"a listener to events failed"}',
    '',
  ].join('\n')
  for (const character of lines) output.hear('stdout', character)
  output.hear('stderr', 'Debugger attached.\n(node:12) MaxListenersExceeded')
  output.hear('stdout', '{"level":30,"msg":"Server listening at http://127.0.0.1:41"}\n')
  output.hear('stderr', 'Warning: Possible EventEmitter memory leak\n')
  assert.equal(output.requests, 1)
  assert.deepEqual([...output.notices.keys()], ['ejected', 'Server listening at http://N.N.N.N:N'])
  assert.deepEqual(output.problems, [
    '{"level":50,"msg":"a listener to events failed"}',
    '(node:12) MaxListenersExceededWarning: Possible EventEmitter memory leak',
  ])
  assert.equal(output.problemCount, 2)
})

test('a failure is avoidable if one target was well for a while before it and until its end', () => {
  const failed = [
    { id: 'id', kind: 'small', fate: 'status', detail: '503', at: 20_000, end: 21_000 } as const,
  ]
  const count = (...troubles: [target: number, from: number, to: number][]) =>
    avoidable(
      failed,
      troubles.map(([target, from, to]) => ({ target, from, to })),
      2,
    ).length
  assert.equal(count(), 1)
  assert.equal(count([0, 19_000, 22_000]), 1)
  assert.equal(count([0, 19_000, 22_000], [0, 10_000, 13_000]), 1)
  assert.equal(count([0, 19_000, 22_000], [1, 10_000, 19_999 - wellAfterMs]), 1)
  assert.equal(count([0, 19_000, 22_000], [1, 10_000, 20_000 - wellAfterMs]), 0)
  assert.equal(count([0, 19_000, 22_000], [1, 21_000, 30_000]), 0)
  assert.equal(count([0, 19_000, 22_000], [1, 21_001, 30_000]), 1)
  assert.equal(count([0, 19_000, 22_000], [2, 19_000, 22_000]), 1)
})

test('failed GETs of small answers are kept, those of others and of clients that left are not', () => {
  const ledger = ledgerOf(
    ['status'],
    ['cut', 'chunked'],
    ['status', 'orders'],
    ['left'],
    ['answered'],
    ['cut', 'large'],
  )
  assert.deepEqual(
    ledger.failedGets.map(({ id }) => id),
    ['id-0', 'id-1'],
  )
})
