import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalise } from '../../plugins/routing/canonical.ts'
import { compileRewrite, type RewriteOptions } from '../../plugins/routing/rewrite.ts'
import { createRouter } from '../../plugins/routing/router.ts'
import { compileTemplate } from '../../plugins/routing/template.ts'

function rewritten(options: RewriteOptions, path: string): string {
  const result = createRouter([options]).match({ host: '', method: 'GET', path, query: '', headers: {} })
  assert.ok(result.kind === 'route', path)
  return compileRewrite(options)(path, result.params)
}

const cases: [RewriteOptions, string, string][] = [
  [{ path: '/users/*' }, '/users/7', '/users/7'],
  [{ path: '/users/*', rewrite: '/v2/*' }, '/users/7/x', '/v2/7/x'],
  [{ path: '/users/*', rewrite: '/v2/*' }, '/users', '/v2/'],
  [{ path: '/users/*', rewrite: '/v2/*/end' }, '/users', '/v2/end'],
  [{ path: '/users/*', rewrite: '/*' }, '/users/', '/'],
  [{ path: '/u/:id/*', rewrite: '/x-:id.json/*' }, '/u/a%20b/c', '/x-a%20b.json/c'],
  [{ path: /\/v(\d+)\/(?<rest>.*)/, rewrite: '/$<rest>/$1' }, '/v2/a/b/', '/a/b/2'],
  [{ path: /\/(?<a>a)|\/(?<b>b)/, rewrite: '/x/:a/:b' }, '/b', '/x/b'],
  [{ path: '/users/*', stripPrefix: '/users' }, '/users/7', '/7'],
  [{ path: '/users/*', stripPrefix: '/users/' }, '/users', '/'],
  [{ path: '/users/*', stripPrefix: '/users' }, '/users/', '/'],
  [{ path: '/*', stripPrefix: '/users' }, '/usersx/1', '/usersx/1'],
  [{ path: '/*', stripPrefix: '/' }, '/users', '/users'],
  [{ path: '/:any/:id', stripPrefix: '/users' }, '/users/1', '/1'],
]
for (const [options, path, expected] of cases) {
  const { stripPrefix, rewrite } = options
  test(`${path} by ${String(options.path)} with ${rewrite ?? `strip ${stripPrefix}`} goes to ${expected}`, () =>
    assert.equal(rewritten(options, path), expected))
}

const faulty: [RewriteOptions, RegExp][] = [
  [{ path: '/u/:id', rewrite: '/:name' }, /":name".*has only "id"/],
  [{ path: '/u', rewrite: '/*' }, /has no parameters/],
  [{ path: '/u/:id', rewrite: '/$1' }, /has only "id"/],
  [{ path: '/u/*', rewrite: 'v2/*' }, /did you mean "\/v2\/\*"/],
  [{ path: '/u/*', rewrite: '/v2?x=1' }, /query edits/],
  [{ path: '/u/*', rewrite: '/v2/../*' }, /not canonical/],
  [{ path: '/u/*', rewrite: '/v2/é' }, /not canonical/],
  [{ path: '/u/*', rewrite: '/v2', stripPrefix: '/u' }, /exclude/],
  [{ path: '/u/*', stripPrefix: '/x' }, /never starts/],
  [{ path: '/u/*', stripPrefix: '/:id' }, /plain segments/],
]
for (const [options, message] of faulty) {
  test(`${JSON.stringify(options)} is refused at compile time`, () =>
    assert.throws(() => compileRewrite(options), message))
}

test("a regex's groups cannot build a dot segment or half an escape: the rewrite throws", () => {
  assert.throws(() => rewritten({ path: /\/(\.\.)(.*)/, rewrite: '/api/$1/$2' }, '/..foo'), /not canonical/)
  assert.throws(() => rewritten({ path: /\/(..)(.*)/, rewrite: '/$1/$2' }, '/%20'), /not canonical/)
})

test('a rewrite by segments is always canonical', () => {
  const part = fc.constantFrom('a', '..b', '...', '%2F', '%20', 'x.y', '*')
  fc.assert(
    fc.property(part, fc.array(part, { maxLength: 3 }), fc.constantFrom('', '/'), (id, rest, tail) => {
      const path = `/u/${[id, ...rest].join('/')}${tail}`
      for (const rewrite of ['/:id/*', '/*/:id', '/a/*/b/', '/*', '/x/:id']) {
        const to = rewritten({ path: '/u/:id/*', rewrite }, path)
        assert.deepEqual(canonicalise(to, { encodedSlash: true }), { ok: true, path: to, query: '' })
      }
    }),
    { seed: 91, numRuns: 2000 },
  )
})

test('redirect targets: neither a scheme nor a port is a parameter', () => {
  assert.equal(
    compileTemplate('https://other.example:8443/:id?from=gw', '/x/:id')({ id: '7' }),
    'https://other.example:8443/7?from=gw',
  )
  assert.equal(compileTemplate('https://other.example', '/x')({}), 'https://other.example')
  assert.equal(compileTemplate('/new/*', '/old/*')({ '*': 'a/b' }), '/new/a/b')
})

test('redirect targets: no request chooses the host', () => {
  for (const template of [
    'https://:id/',
    'https://a.example:id',
    'https://a.example:id/x',
    ':id',
    '//:id',
    '//a.example/:id',
    'javascript:x',
    'https://a b/',
  ]) {
    assert.throws(() => compileTemplate(template, '/:id'), Error, template)
  }
  assert.equal(compileTemplate('/$1', /\/x(.*)/)({ 1: '/evil.example' }), '/evil.example')
})
