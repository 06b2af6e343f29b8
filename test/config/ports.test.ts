import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readGateway } from '../../plugins/config/load.ts'
import { mainPort, mainPortProblems, portClashes } from '../../plugins/config/ports.ts'

const use = (name: string, host: string, port = 8080) => ({ path: `${name}.port`, name, port, host })
const clash = (a: string, b: string): boolean => portClashes([use('a', a), use('b', b)]).length === 1

describe('two that want the same port', () => {
  for (const [a, b] of [
    ['127.0.0.1', '127.0.0.1'],
    ['0.0.0.0', '10.0.0.1'],
    ['0.0.0.0', 'gateway.internal'],
    ['::', '10.0.0.1'],
    ['::', '::1'],
    ['::', '0.0.0.0'],
    ['localhost', '127.0.0.1'],
    ['localhost', '::1'],
    ['localhost', '0.0.0.0'],
  ] as const) {
    it(`clash on ${a} and ${b}`, () => assert.deepEqual([clash(a, b), clash(b, a)], [true, true]))
  }
  for (const [a, b] of [
    ['127.0.0.1', '127.0.0.2'],
    ['0.0.0.0', '::1'],
    ['localhost', '10.0.0.1'],
  ] as const) {
    it(`have room beside each other on ${a} and ${b}`, () =>
      assert.deepEqual([clash(a, b), clash(b, a)], [false, false]))
  }
  it('do not clash on different ports', () =>
    assert.deepEqual(portClashes([use('a', '::', 1), use('b', '::', 2)]), []))
})

it('listeners, admin, samples and the main port are compared with each other, and all is told at once', async () => {
  const config = {
    upstreams: {},
    routes: [],
    admin: { port: 9901 },
    listeners: [{ port: 9901 }, { port: 4001 }, { port: 8080, host: '127.0.0.1' }, { port: 8443 }],
    samples: [4001, 9901, 4002, 4002],
  }
  const main = { path: '', name: 'the main port', port: 8080, host: '0.0.0.0' }
  const { problems } = await readGateway(config, 'test.config.ts', undefined, main)
  assert.deepEqual(
    problems.map(({ path, message }) => `${path}: ${message}`),
    [
      'listeners[0].port: admin is on port 9901 already; give it another port',
      'listeners[2].port: the main port is on port 8080 already; give one of them another port',
      'samples[0]: listeners[1] is on port 4001 already; give it another port',
      'samples[1]: admin is on port 9901 already; give it another port',
      'samples[3]: samples[2] is on port 4002 already; give it another port',
    ],
  )
})

describe('the main port, for npm run check', () => {
  it('has to be one, told by the name of its variable', () => {
    for (const env of [{}, { PORT: '' }, { PORT: '0' }, { FASTIFY_PORT: '65535', PORT: 'x' }])
      assert.deepEqual(mainPortProblems(env), [])
    for (const value of ['banana', '65536', '-1', '80.5']) {
      assert.deepEqual(mainPortProblems({ PORT: value }), [
        {
          path: '',
          message: `the variable PORT is no port, but "${value}"; give it a number up to 65535, or none`,
        },
      ])
    }
  })

  const of = (script: string, env: Record<string, string>) => mainPort(script, env)?.port

  it('is what FASTIFY_PORT says, then PORT', () => {
    assert.equal(of('/app/scripts/check.ts', { FASTIFY_PORT: '1', PORT: '2' }), 1)
    assert.equal(of('/app/scripts/check.ts', { FASTIFY_PORT: '', PORT: '2' }), 2)
  })

  it('is not known where the environment says none, or a flag may say another', () => {
    for (const env of [{}, { PORT: '' }, { PORT: '0' }, { PORT: 'http' }]) {
      assert.equal(of('/app/scripts/check.ts', env as Record<string, string>), undefined)
    }
    for (const script of ['/app/node_modules/.bin/fastify', '/app/node_modules/fastify-cli/cli.js']) {
      assert.equal(of(script, { PORT: '2' }), undefined)
    }
  })
})
