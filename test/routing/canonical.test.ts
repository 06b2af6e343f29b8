import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type CanonicalOptions, canonicalise } from '../../plugins/routing/canonical.ts'

const STRICT: CanonicalOptions = { encodedSlash: false }
const LAX: CanonicalOptions = { encodedSlash: true }
const SEED = 20_240_601

const spelt: Record<string, string> = {
  '/': '/',
  '/users/7': '/users/7',
  '/users/': '/users/',
  '//admin/x': '/admin/x',
  '/./admin/x': '/admin/x',
  '/%2e/admin/x': '/admin/x',
  '/a/%2e%2e/admin': '/admin',
  '/a/.%2E/admin': '/admin',
  '/a/..': '/',
  '/a/b/..': '/a/',
  '/a/.': '/a/',
  '/a//../b': '/b',
  '/../../x': '/x',
  '/..': '/',
  '/..foo': '/..foo',
  '/...': '/...',
  '/.well-known/x': '/.well-known/x',
  '/a/.../b': '/a/.../b',
  '/%41%7e%2D': '/A~-',
  '/a%20b': '/a%20b',
  '/%c3%a9': '/%C3%A9',
  '/%252e%252e/x': '/%252e%252e/x',
  '/a;b=1/c': '/a;b=1/c',
  '///': '/',
}
for (const [url, path] of Object.entries(spelt)) {
  test(`${url} is ${path}`, () => assert.deepEqual(canonicalise(url, STRICT), { ok: true, path, query: '' }))
}

test('the query is kept byte for byte, and ends the path', () => {
  assert.deepEqual(canonicalise('/a?b=%2f/../c?d//', STRICT), {
    ok: true,
    path: '/a',
    query: '?b=%2f/../c?d//',
  })
  assert.deepEqual(canonicalise('/a/..?x', STRICT), { ok: true, path: '/', query: '?x' })
  assert.deepEqual(canonicalise('/a/.?/../b', STRICT), { ok: true, path: '/a/', query: '?/../b' })
  assert.deepEqual(canonicalise('/a?', STRICT), { ok: true, path: '/a', query: '?' })
})

test('the asterisk form comes back as it is', () => {
  assert.deepEqual(canonicalise('*', STRICT), { ok: true, path: '*', query: '' })
})

const refusals = [
  '',
  'a',
  '*x',
  'http://a/b',
  'host:443',
  '/a%2fb',
  '/a%2Fb',
  '/a%5cb',
  '/a%00',
  '/a\\b',
  '/a\nb',
  '/a b',
  '/a\x7f',
  '/é',
  '/a%',
  '/a%2',
  '/a%g0',
  '/a%%32e',
  '/a#b',
  '/a?b#c',
  '/a?b c',
  '/a?é',
  '/a?\r\n',
  '/..;/admin',
  '/.;x/admin',
  '/%2e%2e;x/admin',
]
for (const url of refusals) {
  test(`${JSON.stringify(url)} is refused`, () => assert.equal(canonicalise(url, STRICT).ok, false))
}

test('encoded slashes pass where they are asked for, but not with a dot segment beside them', () => {
  assert.deepEqual(canonicalise('/a%2fb/%5c', LAX), { ok: true, path: '/a%2Fb/%5C', query: '' })
  for (const url of ['/a/..%2fadmin', '/a%2f..', '/a%2F%2e%2F', '/%5c..', '/a/.%2e%2Fx', '/a%00']) {
    assert.equal(canonicalise(url, LAX).ok, false, url)
  }
})

test('semicolons are refused where path parameters are not wanted', () => {
  assert.equal(canonicalise('/admin;a/x', { ...STRICT, pathParameters: false }).ok, false)
  assert.equal(canonicalise('/a?b;c', { ...STRICT, pathParameters: false }).ok, true)
})

const piece = fc.oneof(
  fc.constantFrom(
    '/',
    '/',
    '.',
    '..',
    '%2e',
    '%2E',
    '%41',
    '%7e',
    '%c3',
    '%C3',
    '%2f',
    '%5C',
    '%25',
    '%',
    'a',
    'B',
    ';',
    '?',
    '*',
  ),
  fc.integer({ min: 0, max: 255 }).map((byte) => `%${byte.toString(16).padStart(2, '0')}`),
  fc.string({ minLength: 1, maxLength: 3 }),
)
const urls = fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`)

for (const options of [STRICT, LAX]) {
  test(`what comes out is canonical, and stays so (encodedSlash ${options.encodedSlash})`, () => {
    fc.assert(
      fc.property(urls, (url) => {
        const once = canonicalise(url, options)
        if (!once.ok) return
        const { path, query } = once
        assert.ok(path.startsWith('/') && !path.includes('//'), path)
        assert.ok(!path.split('/').some((segment) => segment === '.' || segment === '..'), path)
        for (const [triplet] of path.matchAll(/%../g)) {
          assert.equal(triplet, triplet.toUpperCase())
          assert.doesNotMatch(decodeURIComponent(triplet.replace(/%[89A-F]./, '%25')), /[A-Za-z0-9\-._~]/)
        }
        assert.match(path, /^(?:[!-~]|%[0-9A-F]{2})+$/)
        assert.deepEqual(canonicalise(path + query, options), once)
      }),
      { seed: SEED, numRuns: 20_000 },
    )
  })
}

/** RFC 3986, written the slow and obvious way. */
function slowly(path: string): string {
  const decoded = path.replace(/%[0-9a-fA-F]{2}/g, (triplet) => {
    const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16))
    return /[A-Za-z0-9\-._~]/.test(character) ? character : triplet.toUpperCase()
  })
  const merged = decoded.replace(/\/+/g, '/')
  const stack: string[] = []
  const segments = merged.slice(1).split('/')
  for (const segment of segments) {
    if (segment === '..') stack.pop()
    else if (segment !== '.' && segment !== '') stack.push(segment)
  }
  const last = segments.at(-1) as string
  return `/${stack.join('/')}${['', '.', '..'].includes(last) && stack.length > 0 ? '/' : ''}`
}

test('the one scan agrees with the obvious way', () => {
  fc.assert(
    fc.property(urls, (url) => {
      const result = canonicalise(url, STRICT)
      if (result.ok) assert.equal(result.path, slowly(url.split('?')[0] as string))
    }),
    { seed: SEED + 1, numRuns: 20_000 },
  )
})
