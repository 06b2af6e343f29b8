/** All problems at once: how the list reads, and who may add to it. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { buildGateway } from '../support/gateway.ts'
import { refusal } from './support.ts'

const users = { targets: [{ origin: 'http://10.0.0.1:8080' }] }
const route = (...routes: object[]) => ({ upstreams: { users, orders: users }, routes })
const to = (more: object) => ({ path: '/x', upstream: 'users', ...more })

it('the example of the design comes out to the letter', async () => {
  const error = await refusal({
    upstreams: { users: { targets: [] } },
    routes: [{ path: '/users/*', upstream: 'user' }],
  })
  assert.equal(
    error.message,
    [
      'test.config.ts has 2 problems',
      '  routes[0].upstream: no upstream is named "user"; did you mean "users"?',
      '  upstreams.users.targets: needs at least one target',
    ].join('\n'),
  )
  assert.equal(error.code, 'GTW_CONFIG')
  assert.equal(error.stack, error.message)
})

it('what only the plugins know (a balancer) stands in the same list', async () => {
  const { message } = await refusal({
    upstreams: { users: { targets: [] }, orders: { ...users, loadBalancing: 'round-robbin' } },
    routes: [{ path: '/users/*', upstream: 'user' }],
  })
  assert.equal(
    message,
    [
      'test.config.ts has 3 problems',
      '  routes[0].upstream: no upstream is named "user"; did you mean "users"?',
      '  upstreams.orders.loadBalancing: no balancer is named "round-robbin"; did you mean "round-robin"?',
      '  upstreams.users.targets: needs at least one target',
    ].join('\n'),
  )
})

it('a path in an upstream of a name with a dot can be found in the file', async () => {
  const config = {
    upstreams: { 'eu.users-1': { targets: [{ origin: 'http://a', weight: 0 }], loadBalancing: 'x' } },
    routes: [],
  }
  const { problems } = await refusal(config)
  assert.deepEqual(
    problems.map(({ path }) => path),
    ['upstreams["eu.users-1"].loadBalancing', 'upstreams["eu.users-1"].targets'],
  )
})

it('routes are told of in the order of the file, the tenth after the second', async () => {
  const { problems } = await refusal(route(...Array.from({ length: 12 }, (_, i) => ({ path: `/${i}` }))))
  assert.deepEqual(
    problems.map(({ path }) => path),
    Array.from({ length: 12 }, (_, i) => `routes[${i}]`),
  )
})

it('a plugin of a user may check too, and hears of the config as it was written', async () => {
  const error = await refusal({ ...route({ path: '/x', upstream: 'user' }), server: { drain: '1s' } })
  assert.equal(error.problems.length, 1)
  const app = await buildGateway(route(to({})))
  app.checkGateway(({ server }) => (server.drain === 5000 ? [{ path: 'server.drain', message: 'seen' }] : []))
  assert.deepEqual(app.gatewayProblems(), [{ path: 'server.drain', message: 'seen' }])
  assert.ok(Object.isFrozen(app.gateway.upstreams.users?.targets[0]))
  await app.close()
})
