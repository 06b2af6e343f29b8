/** What is tried on verifiers of JWTs: nothing gets in, and nothing makes the gateway fail. */
import assert from 'node:assert/strict'
import { createHmac, createPublicKey, sign as signRaw } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import {
  AUDIENCE,
  claimsOf,
  encode,
  type Guarded,
  guarded,
  lifetime,
  now,
  type Publisher,
  publisher,
  SECRET,
  type SigningKey,
  sign,
  signingKey,
} from './tokens.ts'

/** Compact form, signed with HMAC-SHA256 under whatever is taken for a secret. */
function forge(header: unknown, payload: unknown, secret: string | Buffer = ''): string {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

/** Signed as it should be, but with this text for header and payload. */
function signText({ alg, kid, privateKey }: SigningKey, payload: string | Buffer, header?: string): string {
  const input = `${encode(header ?? JSON.stringify({ alg, kid }))}.${Buffer.from(payload as string).toString('base64url')}`
  const ec = alg.startsWith('ES')
  const signature = signRaw('sha256', Buffer.from(input), {
    key: privateKey,
    ...(ec ? { dsaEncoding: 'ieee-p1363' as const } : {}),
  })
  return `${input}.${signature.toString('base64url')}`
}

describe('attacks on tokens', () => {
  let rsa: SigningKey
  let ec: SigningKey
  let other: SigningKey
  let first: Publisher
  let second: Publisher
  let gateway: Guarded
  let valid: string
  let iss: string

  const life = lifetime()
  after(() => life.end())

  before(async () => {
    rsa = await signingKey('RS256', 'rsa')
    ec = await signingKey('ES256', 'ec')
    other = await signingKey('RS256', 'other')
    first = await publisher(life, [rsa, ec])
    second = await publisher(life, [other])
    iss = first.issuer
    gateway = await guarded(life, {
      jwt: {
        issuers: [
          { issuer: first.issuer, audience: AUDIENCE, jwksUri: first.jwksUri },
          { issuer: second.issuer, audience: AUDIENCE, jwksUri: second.jwksUri },
          { issuer: 'https://shared.example', audience: AUDIENCE, secret: SECRET },
          { issuer: 'https://static.example', audience: AUDIENCE, publicKey: rsa.pem },
        ],
      },
    })
    valid = await sign(rsa, claimsOf(iss))
    assert.equal((await gateway.bring(valid)).statusCode, 200)
    assert.equal((await gateway.bring(await sign(ec, claimsOf(iss)))).statusCode, 200)
    assert.equal((await gateway.bring(await sign(rsa, claimsOf('https://static.example')))).statusCode, 200)
    const shared = forge({ alg: 'HS256' }, claimsOf('https://shared.example'), SECRET)
    assert.equal((await gateway.bring(shared)).statusCode, 200)
  })

  /** Refused as RFC 6750 has it, and nothing was forwarded. */
  async function refusedWith(token: string, what: string): Promise<void> {
    const before = gateway.target.seen.length
    const response = await gateway.bring(token)
    assert.equal(response.statusCode, 401, `${what}: ${response.body}`)
    assert.equal(response.json().code, 'GTW_UNAUTHENTICATED', what)
    assert.match(
      String(response.headers['www-authenticate']),
      /^Bearer realm="gateway", error="invalid_token", error_description="[^"]+"$/,
      what,
    )
    assert.equal(response.headers['cache-control'], 'no-store', what)
    assert.equal(gateway.target.seen.length, before, what)
  }

  it('alg none, in all spellings, with and without a signature', async () => {
    const [, , signature] = valid.split('.')
    for (const alg of ['none', 'None', 'NONE', 'nOnE', 'none ', '\u0000none', '', 'nоne']) {
      for (const end of ['', signature, 'AA']) {
        await refusedWith(`${encode({ alg, kid: 'rsa' })}.${encode(claimsOf(iss))}.${end}`, `${alg} ${end}`)
      }
    }
    for (const alg of [null, 0, true, [], ['RS256'], {}, undefined]) {
      await refusedWith(
        `${encode({ alg })}.${encode(claimsOf(iss))}.${signature}`,
        `alg ${JSON.stringify(alg)}`,
      )
    }
    await refusedWith(`${valid.split('.').slice(0, 2).join('.')}.`, 'no signature')
  })

  it('RS256 turned into HS256 with the public key as the secret, in every spelling of the key', async () => {
    const key = createPublicKey(rsa.pem)
    const spki = key.export({ type: 'spki', format: 'pem' }).toString()
    const pkcs1 = key.export({ type: 'pkcs1', format: 'pem' }).toString()
    const pems = [spki, pkcs1].flatMap((pem) => [
      pem,
      pem.trim(),
      `${pem}\n`,
      ` ${pem}`,
      pem.replaceAll('\n', '\r\n'),
      pem.replaceAll('\n', ''),
      pem.replace(/-----[^-]+-----/g, '').replaceAll('\n', ''),
    ])
    const others = [
      key.export({ type: 'spki', format: 'der' }),
      key.export({ type: 'pkcs1', format: 'der' }),
      JSON.stringify(rsa.jwk),
      JSON.stringify({ keys: [rsa.jwk] }),
      Buffer.from(rsa.jwk.n as string, 'base64url'),
      rsa.jwk.n as string,
    ]
    for (const issuer of [iss, 'https://static.example']) {
      for (const [i, secret] of [...pems, ...others].entries()) {
        for (const header of [{ alg: 'HS256', kid: 'rsa' }, { alg: 'HS256' }, { alg: 'RS256', kid: 'rsa' }]) {
          await refusedWith(forge(header, claimsOf(issuer), secret), `${issuer} ${i} ${header.alg}`)
        }
      }
    }
  })

  it('an empty key: signed with nothing, zeros, or names of what could be looked up', async () => {
    for (const secret of ['', '\0', '\0'.repeat(32), 'null', 'undefined', '[object Object]']) {
      for (const issuer of [iss, second.issuer, 'https://shared.example', 'https://static.example']) {
        for (const kid of [undefined, '', 'missing', '../../../../dev/null', '/dev/null']) {
          await refusedWith(
            forge({ alg: 'HS256', kid }, claimsOf(issuer), secret),
            `${secret} ${issuer} ${kid}`,
          )
        }
      }
    }
  })

  it('a kid is a name among the keys and nothing else', async () => {
    const strange = [
      ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype', 'keys', 'length', '0'],
      ...[
        '../rsa',
        'rsa\0',
        'rsa ',
        'RSA',
        "rsa' OR '1'='1",
        'http://evil.example/jwks',
        '|/bin/true',
        'a'.repeat(4000),
      ],
    ]
    for (const kid of strange) {
      await refusedWith(await sign(rsa, claimsOf(iss), { kid }), kid.slice(0, 20))
      await refusedWith(forge({ alg: 'HS256', kid }, claimsOf(iss)), kid.slice(0, 20))
    }
    for (const kid of [1, null, true, {}, ['rsa'], [], { kid: 'rsa' }]) {
      const header = JSON.stringify({ alg: 'RS256', kid })
      await refusedWith(signText(rsa, JSON.stringify(claimsOf(iss)), header), JSON.stringify(kid))
    }
    await refusedWith(await sign(rsa, claimsOf(iss), { kid: 'ec' }), 'the kid of a key of another kind')
  })

  it('keys and their addresses in the header are not looked at', async (t) => {
    const evil = await signingKey('RS256', 'evil')
    const trap = await publisher(t, [evil])
    for (const extra of [
      { jku: trap.jwksUri },
      { jwk: evil.jwk },
      { x5u: trap.jwksUri },
      { x5c: [evil.pem.replace(/-----[^-]+-----|\n/g, '')] },
    ]) {
      for (const kid of ['evil', 'rsa', undefined]) {
        await refusedWith(
          await sign(evil, claimsOf(iss), { kid, ...extra }),
          JSON.stringify(extra).slice(0, 20),
        )
      }
      // Some issuers put them into every token: that is no reason to refuse a good one.
      assert.equal((await gateway.bring(await sign(rsa, claimsOf(iss), extra))).statusCode, 200)
    }
    assert.equal(trap.fetches, 0)
  })

  it('psychic and other empty signatures (CVE-2022-21449)', async () => {
    const input = `${encode({ alg: 'ES256', kid: 'ec' })}.${encode(claimsOf(iss))}`
    const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex')
    for (const signature of [
      Buffer.alloc(64),
      Buffer.alloc(63),
      Buffer.alloc(1),
      Buffer.concat([order, order]),
      Buffer.concat([Buffer.alloc(32), order]),
      Buffer.from('3006020100020100', 'hex'),
    ]) {
      await refusedWith(`${input}.${signature.toString('base64url')}`, signature.toString('hex').slice(0, 20))
    }
    await refusedWith(
      `${encode({ alg: 'RS256', kid: 'rsa' })}.${encode(claimsOf(iss))}.${encode('\0'.repeat(256))}`,
      'RSA',
    )
  })

  it('a signature in another form than RFC 7518 has it', async () => {
    const input = `${encode({ alg: 'ES256', kid: 'ec' })}.${encode(claimsOf(iss))}`
    const der = signRaw('sha256', Buffer.from(input), { key: ec.privateKey, dsaEncoding: 'der' })
    await refusedWith(`${input}.${der.toString('base64url')}`, 'DER')
    await refusedWith(
      await sign(rsa, claimsOf(iss)).then((token) =>
        token.replace(encode({ alg: 'RS256', kid: 'rsa' }), encode({ alg: 'PS256', kid: 'rsa' })),
      ),
      'PS256',
    )
  })

  it('dates: expired, not yet valid, or no dates at all', async () => {
    const wrong = {
      expired: { exp: now() - 10 },
      'expired at the epoch': { exp: 0 },
      negative: { exp: -1 },
      'not yet valid': { nbf: now() + 60 },
      'issued in the future': { iat: now() + 60 },
      'exp as text': { exp: String(now() + 300) },
      'exp as a date': { exp: new Date(Date.now() + 300_000).toISOString() },
      'exp null': { exp: null },
      'exp true': { exp: true },
      'exp a list': { exp: [now() + 300] },
      'nbf as text': { nbf: '0' },
      'iat as text': { iat: 'now' },
      'nbf negative': { nbf: -1 },
    }
    for (const [what, claims] of Object.entries(wrong))
      await refusedWith(await sign(rsa, claimsOf(iss, claims)), what)
    const { exp: _, ...rest } = claimsOf(iss)
    for (const exp of ['1e999', '-1e999', '1e308', 'NaN', 'Infinity', '0x7fffffff', '']) {
      const payload = `${JSON.stringify(rest).slice(0, -1)},"exp":${exp}}`
      await refusedWith(signText(rsa, payload), `exp ${exp}`)
    }
  })

  it('allowedIss and allowedAud of fast-jwt pass when the claim is absent: here nothing may be absent', async () => {
    for (const name of ['iss', 'aud', 'exp', 'sub']) {
      await refusedWith(await sign(rsa, claimsOf(iss, { [name]: undefined })), `without ${name}`)
    }
    await refusedWith(signText(rsa, '{}'), 'nothing')
  })

  it('claims that are somebody else’s, or of the wrong type', async () => {
    const wrong = {
      'another issuer': { iss: 'https://evil.example' },
      'the issuer with a slash': { iss: `${iss}/` },
      'the issuer in capitals': { iss: iss.toUpperCase() },
      'a list of issuers': { iss: [iss] },
      'an issuer of objects': { iss: { toString: iss } },
      'the issuer __proto__': { iss: '__proto__' },
      'another audience': { aud: 'https://other.example' },
      'no audience': { aud: [] },
      'an empty audience': { aud: '' },
      'part of the audience': { aud: AUDIENCE.slice(0, -1) },
      'more than the audience': { aud: `${AUDIENCE} x` },
      'an audience of lists': { aud: [[AUDIENCE]] },
      'an audience with a number': { aud: [AUDIENCE, 1] },
      'an audience null': { aud: null },
      'an audience of names': { aud: { [AUDIENCE]: true } },
      'a subject of numbers': { sub: 1 },
      'an empty subject': { sub: '' },
      'a jti of numbers': { jti: 7 },
    }
    for (const [what, claims] of Object.entries(wrong)) {
      await refusedWith(signText(rsa, JSON.stringify(claimsOf(iss, claims))), what)
    }
  })

  it('a token of one issuer signed by another one’s key, whichever way round', async () => {
    await refusedWith(await sign(rsa, claimsOf(second.issuer)), 'first signs for second')
    await refusedWith(await sign(other, claimsOf(iss)), 'second signs for first')
    await refusedWith(await sign(rsa, claimsOf(second.issuer), { kid: 'other' }), 'with the kid of the other')
    await refusedWith(await sign(rsa, claimsOf('https://shared.example')), 'asymmetric for a shared secret')
    await refusedWith(
      await sign(ec, claimsOf('https://static.example')),
      'another key than that of the config',
    )
    await refusedWith(forge({ alg: 'HS256', kid: 'rsa' }, claimsOf(iss), SECRET), 'HS256 for an RS256 issuer')
    await refusedWith(
      forge({ alg: 'HS512' }, claimsOf('https://shared.example'), SECRET),
      'HS512 that is none',
    )
  })

  it('the same name twice, however it is written', async () => {
    const body = JSON.stringify(claimsOf(iss)).slice(1, -1)
    for (const payload of [
      `{${body},"sub":"admin"}`,
      `{"sub":"admin",${body}}`,
      `{${body},"s\\u0075b":"admin"}`,
      `{${body},"a":{"b":1,"b":2}}`,
      `{${body},"a":[{"b":1,"b":1}]}`,
      `{${body},"__proto__":1,"__proto__":2}`,
    ]) {
      await refusedWith(signText(rsa, payload), payload.slice(-40))
    }
    const payload = JSON.stringify(claimsOf(iss))
    await refusedWith(signText(rsa, payload, '{"alg":"none","alg":"RS256","kid":"rsa"}'), 'alg')
    await refusedWith(signText(rsa, payload, '{"alg":"RS256","kid":"x","kid":"rsa"}'), 'kid')
    // The same name in different objects, and colons in texts, are no harm.
    const fine = { a: { b: 1 }, c: [{ b: 2 }, { b: 3 }], d: 'x":"y{[\\', 'e:': '":' }
    assert.equal((await gateway.bring(await sign(rsa, claimsOf(iss, fine)))).statusCode, 200)
  })

  it('critical and other extensions', async () => {
    const payload = JSON.stringify(claimsOf(iss))
    for (const extra of [
      { crit: ['exp'], exp: 1 },
      { crit: [] },
      { crit: null },
      { crit: ['b64'], b64: false },
      { b64: false },
      { b64: true },
    ]) {
      await refusedWith(
        signText(rsa, payload, JSON.stringify({ alg: 'RS256', kid: 'rsa', ...extra })),
        JSON.stringify(extra),
      )
    }
  })

  it('what is not the compact form of a JWT', async () => {
    const [header = '', payload = '', signature = ''] = valid.split('.')
    const deep = `${'{"a":'.repeat(200)}1${'}'.repeat(200)}`
    const wrong = {
      'one part': header,
      'two parts': `${header}.${payload}`,
      'four parts': `${valid}.`,
      'five parts, as JWE has': `${valid}.${header}.${payload}`,
      'dots only': '..',
      'empty header': `.${payload}.${signature}`,
      'empty payload': `${header}..${signature}`,
      truncated: valid.slice(0, -1),
      padded: `${header}=.${payload}.${signature}`,
      'padded at the end': `${valid}==`,
      'a blank inside': `${header} .${payload}.${signature}`,
      'a blank after': `${valid} x`,
      'a tab inside': `${header}.\t${payload}.${signature}`,
      'base64 and not base64url': valid
        .replaceAll('-', '+')
        .replaceAll('_', '/')
        .concat(valid.includes('-') || valid.includes('_') ? '' : '+'),
      'JSON and not compact': JSON.stringify({ payload, protected: header, signature }),
      'not UTF-8': signText(rsa, Buffer.from(JSON.stringify(claimsOf(iss, { x: '\u00ff' })), 'latin1')),
      'a byte order mark': signText(rsa, `\ufeff${JSON.stringify(claimsOf(iss))}`),
      'a list for a payload': signText(rsa, '[]'),
      'text for a payload': signText(rsa, JSON.stringify(valid)),
      'null for a payload': signText(rsa, 'null'),
      'no JSON': signText(rsa, 'sub=alice'),
      'JSON with more after it': signText(rsa, `${JSON.stringify(claimsOf(iss))}x`),
      'JSON with a comment': signText(rsa, `${JSON.stringify(claimsOf(iss))}//`),
      'nested deeply': signText(rsa, `{"x":${deep},${JSON.stringify(claimsOf(iss)).slice(1)}`),
      'lists nested deeply': signText(
        rsa,
        `{"x":${'['.repeat(900)}${']'.repeat(900)},${JSON.stringify(claimsOf(iss)).slice(1)}`,
      ),
      'a header that is a list': signText(rsa, JSON.stringify(claimsOf(iss)), '[]'),
      'too long': await sign(rsa, claimsOf(iss, { x: 'x'.repeat(8000) })),
    }
    for (const [what, token] of Object.entries(wrong)) await refusedWith(token, what)
  })

  it('another spelling of the same bytes', async () => {
    // Spare bits in the last character of a part: decoders that ignore them take 4 or 16 tokens for the same.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const parts = valid.split('.')
    let tried = 0
    for (const [i, part] of parts.entries()) {
      for (const char of alphabet) {
        const changed = part.slice(0, -1) + char
        if (changed === part || !Buffer.from(changed, 'base64url').equals(Buffer.from(part, 'base64url')))
          continue
        await refusedWith(parts.with(i, changed).join('.'), `part ${i} with ${char}`)
        tried++
      }
    }
    assert.ok(tried > 0)
  })

  it('nothing but the very token is let in, whatever is changed in it', async () => {
    const tokens = [
      valid,
      await sign(ec, claimsOf(iss)),
      forge({ alg: 'HS256' }, claimsOf('https://shared.example'), SECRET),
    ]
    for (const token of tokens) assert.equal((await gateway.bring(token)).statusCode, 200)
    const change = fc.oneof(
      fc.record({
        at: fc.nat(2000),
        put: fc.string({ minLength: 1, maxLength: 3, unit: 'binary-ascii' }),
        cut: fc.nat(3),
      }),
      fc.record({ at: fc.nat(2000), put: fc.constantFrom('A', '.', '-', '_', '=', ''), cut: fc.nat(2) }),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.nat(2),
        fc.array(change, { minLength: 1, maxLength: 3 }),
        async (which, changes) => {
          const token = tokens[which] as string
          let changed = token
          for (const { at, put, cut } of changes) {
            const from = at % changed.length
            changed = changed.slice(0, from) + put.replace(/[^\x21-\x7e]/g, '~') + changed.slice(from + cut)
          }
          const { statusCode } = await gateway.bring(changed)
          assert.equal(statusCode, changed === token ? 200 : 401, changed)
        },
      ),
      { numRuns: 600, seed: 7 },
    )
  })

  it('parts of good tokens put together anew', async () => {
    const tokens = [valid, await sign(rsa, claimsOf(iss, { sub: 'admin' })), await sign(ec, claimsOf(iss))]
    const parts = tokens.map((token) => token.split('.'))
    for (let a = 0; a < 3; a++) {
      for (let b = 0; b < 3; b++) {
        for (let c = 0; c < 3; c++) {
          const mixed = [parts[a]?.[0], parts[b]?.[1], parts[c]?.[2]].join('.')
          if (!tokens.includes(mixed)) await refusedWith(mixed, `${a}${b}${c}`)
        }
      }
    }
  })
})
