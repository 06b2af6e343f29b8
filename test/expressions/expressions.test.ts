/** Expressions: what they see, what is refused before the first request, and what has no value. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { asksWho } from '../../plugins/config/expression-text.ts'
import { expressionCompiler, LONGEST } from '../../plugins/expressions/compile.ts'
import { EvaluationError, ExpressionError } from '../../plugins/expressions/errors.ts'
import type { ExpressionRequest } from '../../plugins/expressions/variables.ts'
import type { Identity } from '../../plugins/upstreams/identity.ts'

const ANN: Identity = {
  id: 'jwt https://id.example.com ann',
  kind: 'jwt',
  name: 'ann',
  consumer: undefined,
  plan: 'gold',
  scopes: ['users:read', 'users:write'],
  roles: [],
  claims: {
    org: { id: 'acme', level: 3 },
    groups: ['a', 'b'],
    constructor: 'x',
    nothing: null,
    ['__proto__']: 1,
  },
}

function requestOf(more: Partial<ExpressionRequest> = {}): ExpressionRequest {
  return {
    method: 'GET',
    url: '/users/42?verbose=1&name=a%20b+c',
    headers: { host: 'API.example.com:8080', 'x-a': 'one', 'set-cookie': ['a=1', 'b=2'] },
    params: { id: '4%202', '*': 'rest' },
    ip: '203.0.113.7',
    protocol: 'https',
    identity: ANN,
    ...more,
  }
}

const NOON = Date.UTC(2026, 10, 25, 12, 0, 0)
const compile = expressionCompiler(() => NOON)
const evaluate = (text: string, more?: Partial<ExpressionRequest>): unknown => compile(text)(requestOf(more))
const refusal = (text: string): string => {
  try {
    compile(text)
  } catch (error) {
    assert.ok(error instanceof ExpressionError, String(error))
    return error.message
  }
  return assert.fail(`compiled: ${text}`)
}

describe('an expression sees', () => {
  const TRUE = [
    'request.method == "GET"',
    'request.path == "/users/42"',
    'request.host == "api.example.com"',
    'request.scheme == "https" && request.ip == "203.0.113.7"',
    'request.headers["x-a"] == "one"',
    '"x-a" in request.headers && !("x-b" in request.headers)',
    'request.headers["set-cookie"] == "a=1, b=2"',
    'request.query.verbose == "1" && request.query.name == "a b c"',
    '!has(request.query.nope) && has(request.query.verbose)',
    'request.params.id == "4 2"',
    'request.time.getHours() == 12 && request.time.getHours("Asia/Tokyo") == 21',
    'request.time == timestamp("2026-11-25T12:00:00Z") && request.time == timestamp(1795608000)',
    'identity.name == "ann" && identity.plan == "gold" && identity.kind == "jwt"',
    '!has(identity.consumer)',
    '"users:read" in identity.scopes && identity.roles.size() == 0',
    'identity.scopes.exists(s, s.endsWith(":write"))',
    'identity.claims.org.id == "acme" && identity.claims.org.level >= 3',
    'identity.claims["groups"][1] == "b"',
    'has(identity.claims.nothing) == false && identity.claims.constructor == "x"',
    'identity != null',
    'request.path.matches("^/users/[0-9]+$")',
    'request.path.startsWith("/users/" + identity.claims.missing) || true',
    'type(request.path) == string',
  ]
  for (const text of TRUE) it(text, () => assert.equal(evaluate(text), true))

  it('the host as routes do, however it is written', () => {
    const hosts = ['API.example.com', 'api.example.com.', 'api.example.com.:443', 'Api.Example.Com:80']
    for (const host of hosts)
      assert.equal(evaluate('request.host != "api.example.com"', { headers: { host } }), false, host)
    assert.equal(evaluate('request.host', { headers: { host: '[::1]:80' } }), '[::1]')
  })

  it('an address of version 4 as one, though it came over a socket of version 6', () => {
    for (const ip of ['203.0.113.7', '::ffff:203.0.113.7'])
      assert.equal(evaluate('request.ip != "203.0.113.7"', { ip }), false, ip)
    assert.equal(evaluate('request.ip', { ip: '::1' }), '::1')
  })

  it('nobody, where nobody has said who it is', () => {
    assert.equal(evaluate('identity == null', { identity: null }), true)
    assert.throws(() => evaluate('identity.name == "ann"', { identity: null }), EvaluationError)
    assert.throws(() => evaluate('!("a" in identity.scopes)', { identity: null }), EvaluationError)
  })
})

describe('an expression has no value', () => {
  const NONE = [
    'identity.claims.missing == "x"',
    'identity.claims.missing != "x"',
    'request.headers["x-b"] == ""',
    'request.params.nope == ""',
    'identity.consumer == "c"',
    'identity.claims.toString == "x"',
    'identity.claims.org.id.deeper == "x"',
    'identity.claims.org.level.startsWith("3")',
    'identity.claims.groups[7] == "x"',
  ]
  for (const text of NONE) it(text, () => assert.throws(() => evaluate(text), EvaluationError))

  it('for a parameter that is given twice, of which the upstream may take the other', () => {
    const text = 'request.query.account == identity.name'
    assert.equal(evaluate(text, { url: '/?account=ann' }), true)
    for (const url of [
      '/?account=ann&account=bob',
      '/?account=ann&%61ccount=bob',
      '/?account=bob&account=ann',
    ])
      assert.throws(() => evaluate(text, { url }), EvaluationError)
    assert.throws(() => evaluate('has(request.query.a) || true', { url: '/?a=%ff' }), EvaluationError)
  })

  it('was got around by a second one in a spelling that PHP, qs or ASP.NET take for the first', () => {
    const text = 'request.query.my_org == identity.name'
    for (const other of [
      '+my_org',
      'my.org',
      'my+org',
      '%20my_org',
      'my_org%00x',
      'my_org[]',
      'my_org[0]',
      'MY_ORG',
    ])
      for (const query of [`my_org=ann&${other}=bob`, `${other}=bob&my_org=ann`])
        assert.throws(() => evaluate(text, { url: `/?${query}` }), EvaluationError, query)
    for (const other of ['my-org', 'my_orgs', 'a', 'my_org[x]', 'x[my_org]'])
      assert.equal(evaluate(text, { url: `/?my_org=ann&${other}=bob&${other}=bob` }), true, other)
  })
})

describe('refused before the first request', () => {
  const WRONG: [string, RegExp][] = [
    ['request.method ==', /^found .*\(line 1, column \d+\)$/],
    [
      'request.path == "/"\n  && reqest.method == "GET"',
      /no "reqest" here; did you mean "request"\?.*line 2, column 6/,
    ],
    ['request.methd == "GET"', /"request" has no "methd"; did you mean "method"\?/],
    ['request["methd"] == "GET"', /"request" has no "methd"/],
    ['identity.claim.x == 1', /did you mean "claims"\?/],
    ['has(identity.nmae)', /did you mean "name"\?/],
    ['request.path.startWith("/")', /no function "startWith"; did you mean "startsWith"\?/],
    ['request.path.startsWith(1)', /"startsWith" does not take a string and \(int\)/],
    ['request.method == 1', /a string is never equal to a int/],
    ['request.path && true', /&& takes true or false, not a string/],
    ['request.headers["X-A"] == "one"', /lower case; write "x-a"/],
    ['request.path.x == 1', /a string has no fields/],
    ['request.path.matches(request.query.p)', /has to be written out/],
    ['request.path.matches("(")', /cannot be compiled/],
    ['request.path.matches("(?=a)")', /cannot be compiled/],
    ['request.headers.exists(a, request.query.exists(b, a == b))', /within another one/],
    ['constructor == null', /no "constructor" here/],
    ['__proto__ == null', /no "__proto__" here/],
    ['identity.exists(a, true)', /no elements to go over/],
    ['google.protobuf.Value{}', /messages cannot be made/],
    [`true${' '.repeat(LONGEST)}`, /longer than 4096/],
    ['', /./],
  ]
  for (const [text, message] of WRONG) it(text.slice(0, 60), () => assert.match(refusal(text), message))

  it('but lists that are written out may be gone over within others', () => {
    assert.equal(evaluate('identity.scopes.all(s, ["users:", "x:"].exists(p, s.startsWith(p)))'), true)
    assert.equal(evaluate('["a"].all(x, identity.claims.groups.exists(g, g == x))'), true)
  })

  it('any text compiles or is refused, and never says yes by accident', () => {
    const piece = fc.constantFrom(
      ...[
        'request',
        'identity',
        '.',
        'path',
        'claims',
        '==',
        '&&',
        '||',
        '!',
        '(',
        ')',
        '[',
        ']',
        '"a"',
        '1',
        'in',
        ' ',
        '?',
        ':',
      ],
      ...[
        'has',
        'null',
        'true',
        'exists',
        'x',
        ',',
        'headers',
        '+',
        'matches',
        '{',
        '}',
        'string',
        'b',
        '\\',
        '\n',
      ],
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
        let run: ReturnType<typeof compile>
        try {
          run = compile(pieces.join(''))
        } catch (error) {
          assert.ok(error instanceof ExpressionError, String(error))
          return
        }
        try {
          run(requestOf())
        } catch (error) {
          assert.ok(error instanceof EvaluationError, String(error))
        }
      }),
      { numRuns: 3000 },
    )
  })
})

it('a pattern that would backtrack takes linear time (ReDoS)', () => {
  const evil = compile('request.headers["x-a"].matches("^(a+)+$")')
  const headers = { 'x-a': `${'a'.repeat(15_000)}!` }
  // Backtracking, this would outlast the sun: that it returns is the assertion.
  assert.equal(evil(requestOf({ headers })), false)
})

it('an expression that asks who calls hid it behind a raw or a long text', () => {
  for (const text of [
    "r'\\' + identity.name",
    'R"\\" + identity.name',
    "rb'\\' == b'' || identity.name == ''",
    "'''it's''' + identity.name",
    '"""a "b" c""" + identity.name + """"""',
    "r'''\\''' + identity.name",
    "// it's\nidentity.name",
    'request.path == "//" || identity.name == "//"',
    '.identity.name',
  ])
    assert.equal(asksWho(text), true, text)
  for (const text of [
    "'identity'",
    "r'\\' + 'identity'",
    "'''\nidentity's \\''''",
    '"""identity"""',
    '"\\" identity"',
    "request.headers.identity == ''",
    'true // identity',
  ])
    assert.equal(asksWho(text), false, text)
})
