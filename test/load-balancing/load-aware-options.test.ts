/** Bad options are refused at start, with what to write instead. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { buildGateway } from '../support/gateway.ts'

async function refusal(loadBalancing: unknown, more: object = {}): Promise<string> {
  const upstreams = { main: { targets: [{ origin: 'http://127.0.0.1:1' }], loadBalancing, ...more } }
  try {
    const app = await buildGateway({ upstreams, routes: [] })
    await app.close()
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

describe('options of load-aware balancers', () => {
  for (const loadBalancing of [
    'smooth-weighted',
    'least-requests',
    'p2c',
    'orca-weighted',
    'prequal',
    { policy: 'smooth-weighted' },
    { policy: 'least-requests', choices: 3, fullScan: false, bias: 0.5 },
    { policy: 'p2c', load: 'peak-ewma', decay: '5s' },
    { policy: 'orca-weighted', blackout: 0, expiration: '1m', updatePeriod: 500, errorUtilizationPenalty: 0 },
    { policy: 'prequal', probe: { path: '/p', timeout: '50ms' }, probes: 0.5, poolSize: 8, hotQuantile: 1 },
  ]) {
    it(`takes ${JSON.stringify(loadBalancing)}`, async () => assert.equal(await refusal(loadBalancing), ''))
  }

  for (const [loadBalancing, message] of [
    [
      { policy: 'p2c', load: 'peek-ewma' },
      'load: "peek-ewma" is not one of the choices; did you mean "peak-ewma"?',
    ],
    [{ policy: 'p2c', laod: 'ewma' }, 'laod: unknown key; did you mean "load"?'],
    [{ policy: 'p2c', decay: '10 s' }, 'decay: must be a duration'],
    [{ policy: 'p2c', decay: '1ms' }, 'decay: must be at least 100ms'],
    [
      { policy: 'least-requests', choices: 5, fullScan: true },
      ' choices are not looked at with fullScan: true; leave one of them out',
    ],
    [{ policy: 'least-requests', choices: 1 }, 'choices: must be at least 2, is 1'],
    [
      { policy: 'least-requests', bias: 0 },
      'bias: must be at least 0.01, is 0; without it weight alone decides: take "smooth-weighted"',
    ],
    [
      { policy: 'least-requests', fullScan: 'auto' },
      'fullScan: must be true or false, is "auto"; or leave it out',
    ],
    [{ policy: 'orca-weighted', blackout: '2 minutes' }, 'blackout: must be a duration'],
    [{ policy: 'orca-weighted', errorUtilizationPenalty: -1 }, 'errorUtilizationPenalty: must be at least 0'],
    [{ policy: 'prequal', probe: '/x' }, 'probe: must be an object'],
    [{ policy: 'prequal', probe: {} }, 'probe.path: is required'],
    [
      { policy: 'prequal', probe: { path: 'x' } },
      'probe.path: "x" is not of the right form; write a path like "/prequal"',
    ],
    [
      { policy: 'prequal', probe: { path: '/load x' } },
      'probe.path: "/load x" is not of the right form; write a path like "/prequal"',
    ],
    [
      { policy: 'prequal', probe: { path: '/löad' } },
      'probe.path: "/löad" is not of the right form; write a path like "/prequal"',
    ],
    [{ policy: 'prequal', hotQuantile: 84 }, 'hotQuantile: must be at most 1, is 84'],
    [{ policy: 'prequal', poolSize: 1 }, 'poolSize: must be at least 2, is 1'],
  ] as const) {
    it(`refuses ${JSON.stringify(loadBalancing)}`, async () => {
      const text = await refusal(loadBalancing)
      assert.ok(
        text.includes(`  upstreams.main.loadBalancing${message.startsWith(' ') ? ':' : '.'}${message}`),
        text,
      )
    })
  }
})

describe('options of the others', () => {
  it('a bound that is a list, or so near to the mean that looking for room takes for ever, is none', async () => {
    for (const [bounded, message] of [
      [[], 'bounded: must be { eps: 0.25 } or false, is'],
      [{ eps: 1e-12 }, 'bounded: eps must be at least 0.0001, is 1e-12; 0.25 is usual'],
    ] as const) {
      const text = await refusal({ policy: 'maglev', bounded })
      assert.ok(text.includes(`  upstreams.main.loadBalancing.${message}`), text)
    }
  })

  it('a gateway’s number that is none is reported once', async () => {
    const text = await refusal('random', { subset: { size: 1, instance: Number.NaN, of: 3 } })
    assert.match(text, /^.* has 1 problem\n/)
    assert.match(text, /subset\.instance: must be a whole number from 0 on/)
  })
})
