import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { plot } from '../../simulate/report/plot.ts'
import { digits, table } from '../../simulate/report/table.ts'
import { simulate } from '../../simulate/run.ts'
import { textbook, textbookBalancers } from '../../simulate/theory-check.ts'

const order = ['two-choices', 'uniform', ...Array.from({ length: 20 }, (_, i) => `more-${i}`)]
const rows = ['uniform', 'two-choices'].map((label) => ({
  label,
  figures: simulate(textbook(20, 0.9), label, textbookBalancers, { seed: 1, requests: 20_000 }),
}))
const svg = plot('a <plot> & its title', rows, order)

/** Tags that are opened and not closed, or the other way round. */
function unbalanced(xml: string): string[] {
  const open: string[] = []
  for (const [, close, name, self] of xml.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
    if (self === '/') continue
    if (close !== '/') open.push(name!)
    else if (open.pop() !== name) return [`</${name}>`]
  }
  return open
}

describe('a plot', () => {
  it('is well formed, and escapes what it is told', () => {
    assert.deepEqual(unbalanced(svg), [])
    assert.match(svg, /aria-label="a &lt;plot&gt; &amp; its title"/)
    assert.doesNotMatch(svg, /NaN|Infinity|undefined/)
  })

  it('has a line and an entry of the legend for each policy, worst tail first', () => {
    const legend = [...svg.matchAll(/<text x="\d+" y="\d+">([\w-]+) <tspan/g)].map(([, label]) => label)
    assert.deepEqual(legend, ['uniform', 'two-choices'])
    assert.equal(svg.match(/<path /g)?.length, 4)
  })

  it('is to be read on light pages and dark ones', () => {
    const [light, dark] = svg.split('@media(prefers-color-scheme:dark)') as [string, string]
    for (const part of ['.page{fill:', '.c0{stroke:', '.grid{stroke:', 'text{']) {
      assert.ok(light.includes(part) && dark.includes(part), part)
    }
  })

  it('never draws two policies alike', () => {
    const looks = order.map((label) => {
      const one = plot('', [{ label, figures: rows[0]!.figures }], order)
      return /<path (class="c\d"(?: stroke-dasharray="[\d ]+")?) d/.exec(one)![1]
    })
    assert.equal(new Set(looks).size, looks.length)
  })

  it('goes down to the right and stays within its frame', () => {
    for (const [, points] of svg.matchAll(/d="M([\d. L]+)"/g)) {
      const pairs = points!.split('L').map((pair) => pair.split(' ').map(Number) as [number, number])
      for (const [i, [x, y]] of pairs.entries()) {
        assert.ok(x >= 64 && x <= 640.1 && y >= 56 && y <= 400.1, `${x} ${y}`)
        if (i > 0) assert.ok(x >= pairs[i - 1]![0] && y >= pairs[i - 1]![1])
      }
    }
  })
})

it('a table has a line for each policy, with as many cells as its head', () => {
  const lines = table(rows).split('\n')
  assert.equal(lines.length, 4)
  const cells = lines.map((line) => line.split('|').length)
  assert.equal(new Set(cells).size, 1)
  assert.equal(new Set(lines.map(({ length }) => length)).size, 1)
})

it('figures have three digits that count', () => {
  assert.deepEqual([1234.5, 99.94, 9.994, 0.1234, 0.01234, 0, Number.NaN].map(digits), [
    '1235',
    '99.9',
    '9.99',
    '0.123',
    '0.012',
    '0',
    '-',
  ])
})
