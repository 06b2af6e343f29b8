import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settingsOf } from '../../plugins/health-check/settings.ts'
import { within } from '../../plugins/health-check/status.ts'
import { readGateway } from '../support/config.ts'

async function read(healthCheck: object | undefined, origin = 'http://10.0.0.1:8080') {
  const users = { targets: [{ origin }], ...(healthCheck === undefined ? {} : { healthCheck }) }
  const { config, problems } = await readGateway(
    { upstreams: { users }, routes: [{ path: '/*', upstream: 'users' }] },
    'test.config.ts',
  )
  const at = 'upstreams.users.healthCheck'
  const said = problems.map(({ path, message }) => `${path.replace(at, '')}: ${message}`)
  return { check: config.upstreams['users']?.healthCheck, said }
}

async function settings(healthCheck: object) {
  const { check, said } = await read(healthCheck)
  assert.deepEqual(said, [])
  assert.ok(check !== undefined)
  return settingsOf(check)
}

test('there are no checks unless the config asks for them', async () => {
  assert.deepEqual(await read(undefined), { check: undefined, said: [] })
})

test('an empty section is an HTTP check with the defaults of HAProxy', async () => {
  const { plan, status, headers, ...rest } = await settings({})
  assert.deepEqual(plan, {
    interval: 2000,
    fastInterval: 500,
    downInterval: 2000,
    jitter: 0.1,
    rise: 2,
    fall: 3,
  })
  assert.deepEqual(
    [199, 200, 299, 300].map((one) => within(status, one)),
    [false, true, true, false],
  )
  assert.deepEqual(headers, { 'user-agent': 'holdfast-health-check' })
  assert.deepEqual(rest, {
    type: 'http',
    timeout: 1000,
    port: undefined,
    host: undefined,
    path: '/healthz',
    method: 'GET',
    body: undefined,
    service: '',
  })
})

test('intervals follow `interval` unless they are set', async () => {
  const slow = await settings({ interval: '10s' })
  assert.deepEqual([slow.plan.fastInterval, slow.plan.downInterval], [2500, 10_000])
  const own = await settings({ interval: '10s', fastInterval: '1s', downInterval: '1m' })
  assert.deepEqual([own.plan.fastInterval, own.plan.downInterval], [1000, 60_000])
})

test('statuses are single ones and ranges', async () => {
  const { status } = await settings({ status: [204, '300-399', 404] })
  const passing = [200, 204, 299, 300, 399, 400, 404].filter((one) => within(status, one))
  assert.deepEqual(passing, [204, 300, 399, 404])
})

test('headers are sent under lower-case names, the user agent too', async () => {
  const { headers } = await settings({ headers: { 'User-Agent': 'me', 'X-Key': 'abc' } })
  assert.deepEqual(headers, { 'user-agent': 'me', 'x-key': 'abc' })
})

const TAKE_OUT = 'says nothing to a'
const refused: [what: string, check: object, said: string[]][] = [
  [
    'HTTP options in a tcp check',
    { type: 'tcp', path: '/', method: 'GET', status: [200], body: 'up', headers: {}, host: 'a' },
    ['path', 'method', 'status', 'body', 'headers', 'host'].map(
      (key) => `.${key}: ${TAKE_OUT} tcp check; take it out, or set \`type: 'http'\``,
    ),
  ],
  [
    'a path in a grpc check',
    { type: 'grpc', path: '/healthz' },
    [`.path: ${TAKE_OUT} grpc check; take it out, or set \`type: 'http'\``],
  ],
  [
    'a service in an http check',
    { service: 'users' },
    [`.service: ${TAKE_OUT} http check; take it out, or set \`type: 'grpc'\``],
  ],
  [
    'text in the body of an answer to HEAD',
    { method: 'HEAD', body: 'up' },
    [".body: answers to HEAD have no body; take it out, or set `method: 'GET'`"],
  ],
  [
    'a fast interval that is the slower one',
    { interval: '1s', fastInterval: '2s' },
    [
      '.fastInterval: is longer than `interval`, but a target in transition is to be checked more often; write 1000 milliseconds or less',
    ],
  ],
  [
    'headers that are not for the user to set',
    { headers: { Host: 'a', Connection: 'close', 'bad name': 'x', 'x-a': 'ü' } },
    [
      '.headers.Host: is set by `host`; use that instead',
      '.headers.Connection: is seen to by the check itself; take it out',
      '.headers["bad name"]: is no name of a header; use letters, digits and "-"',
      '.headers["x-a"]: has characters that a header cannot have; use printable ASCII',
    ],
  ],
  [
    'a content type in a call that has its own',
    { type: 'grpc', headers: { 'Content-Type': 'text/plain' } },
    ['.headers["Content-Type"]: is seen to by the check itself; take it out'],
  ],
  [
    'a range that runs backwards',
    { status: ['399-200'] },
    [
      '.status[0]: "399-200" is no status and no range of them; write 204 or a range from 200 to 599 like "200-399"',
    ],
  ],
  [
    'an interim status, which is no answer',
    { status: [101] },
    [
      '.status[0]: 101 is no status and no range of them; write 204 or a range from 200 to 599 like "200-399"',
    ],
  ],
  ['no status at all', { status: [] }, ['.status: needs at least one status']],
  [
    'a path without a slash',
    { path: 'healthz' },
    ['.path: "healthz" is not of the right form; write a path like "/healthz"'],
  ],
]
for (const [what, check, said] of refused) {
  test(`refused: ${what}`, async () => assert.deepEqual((await read(check)).said, said))
}

test('refused: a port where all targets are unix sockets', async () => {
  const { said } = await read({ port: 9000 }, 'unix:/run/users.sock')
  assert.deepEqual(said, ['.port: no target has a port, they are all unix sockets; take it out'])
  assert.deepEqual((await read({ port: 9000 })).said, [])
})

test('a grpc check may have metadata and a host of its own', async () => {
  const { headers, host, service } = await settings({
    type: 'grpc',
    headers: { 'x-key': 'abc' },
    host: 'users',
    service: 'users.v1',
  })
  assert.deepEqual([headers['x-key'], host, service], ['abc', 'users', 'users.v1'])
})
