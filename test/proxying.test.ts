import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startGateway } from './support/gateway.ts'
import { startTarget } from './support/target.ts'

test('a request reaches each of three targets in turn and comes back whole', async (t) => {
  const targets = await Promise.all(
    ['a', 'b', 'c'].map((name) =>
      startTarget(t, (_seen, response) => {
        response.setHeader('content-type', 'text/plain')
        response.end(name)
      }),
    ),
  )
  const { app, url } = await startGateway({
    upstreams: { abc: { targets: targets.map(({ origin }) => ({ origin })) } },
    routes: [{ path: '/*', upstream: 'abc' }],
  } as object)
  t.after(() => app.close())
  const answers: string[] = []
  for (let i = 0; i < 6; i++) answers.push(await (await fetch(`${url}/some/path?x=1`)).text())
  assert.deepEqual(answers.toSorted(), ['a', 'a', 'b', 'b', 'c', 'c'])
  assert.equal(targets[0]?.seen[0]?.url, '/some/path?x=1')
})
