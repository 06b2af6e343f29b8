import assert from 'node:assert/strict'
import { test } from 'node:test'
import { redactedHeader, redactedUrl, withoutUser } from '../../plugins/config/redact.ts'

const none: ReadonlySet<string> = new Set()

test('what looks like a secret in a query is not logged', () => {
  assert.equal(redactedUrl('/a?access_token=s3cr3t&x=1', none), '/a?access_token=[redacted]&x=1')
  assert.equal(
    redactedUrl('/a?x=1&api-key=k&Password=p&code=c', none),
    '/a?x=1&api-key=[redacted]&Password=[redacted]&code=[redacted]',
  )
  assert.equal(redactedUrl('/a?keyboard=qwerty&x=token', none), '/a?keyboard=qwerty&x=token')
  // All that the docs say, however it is spelled: these were written out.
  for (const name of [
    ...[
      'session',
      'sessionid',
      'PHPSESSID',
      'sid',
      'access_key',
      'accessKey',
      'AWSAccessKeyId',
      'authorization',
    ],
    ...[
      '%74oken',
      'to%6Ben',
      'pwd',
      'user[pwd]',
      'passphrase',
      'client_assertion',
      'X-Amz-Signature',
      'sig',
      'otp',
    ],
    ...[
      'clientSecret',
      'private-key',
      'api%5Fkey',
      'apikey',
      'key',
      'key%5B%5D',
      'auth',
      'jwt',
      'SAMLResponse',
    ],
  ])
    assert.equal(redactedUrl(`/a?x=1&${name}=s3cret=?&y=2`, none), `/a?x=1&${name}=[redacted]&y=2`, name)
  for (const name of ['monkey', 'author', 'design', 'zip_code', 'bypass', 'side', '%zz', 'pinned', '%E2%82'])
    assert.equal(redactedUrl(`/a?${name}=plain`, none), `/a?${name}=plain`, name)
  assert.equal(redactedUrl('/token=a/b?token&=&c', none), '/token=a/b?token&=&c')
  assert.equal(redactedUrl('/a?next=/b?token=s3cret', none), '/a?next=/b?token=[redacted]')
})

test('what the config takes credentials from is redacted by its name', () => {
  const configured = new Set(['who', 'x-who'])
  assert.equal(redactedUrl('/a?Who=s3cret&x=1', configured), '/a?Who=[redacted]&x=1')
  assert.equal(redactedHeader('x-who', 's3cret', configured), '[redacted]')
  assert.equal(redactedHeader('referer', 'http://a/?who=s3cret', configured), 'http://a/?who=[redacted]')
})

test('a secret behind a semicolon or in the path is not logged', () => {
  assert.equal(redactedUrl('/a?a=1;token=s3cret;x=1&y=2', none), '/a?a=1;token=[redacted]&y=2')
  assert.equal(redactedUrl('/a;jsessionid=s3cret/x?y=2', none), '/a;jsessionid=[redacted]?y=2')
  assert.equal(redactedUrl('/a;v=1/b;%74oken=s3=c;r&et', none), '/a;v=1/b;%74oken=[redacted]')
  assert.equal(redactedUrl('/a;v=1/b?next=/c;sid=s3cret?x&y=2', none), '/a;v=1/b?next=/c;sid=[redacted]&y=2')
  assert.equal(redactedHeader('accept', 'text/html;q=0.9, */*;q=0.1', none), 'text/html;q=0.9, */*;q=0.1')
  assert.equal(redactedHeader('link', '<a>; token=s3/cret', none), '<a>; token=[redacted]')
})

test('a user and a password before a host are not logged', () => {
  for (const host of ['u:s3cret@h:1', 's3cret@h:1', 'h:1', 'u@s3cret@h:1'])
    assert.equal(withoutUser(host), 'h:1')
  assert.equal(redactedHeader('referer', 'https://u:s3cret@h/a@b?x=c@d', none), 'https://h/a@b?x=c@d')
  assert.equal(redactedUrl('/a?next=http://s3cret@h/&x=u@h', none), '/a?next=http://h/&x=u@h')
  assert.equal(redactedUrl('/a//u@h/b', none), '/a//u@h/b')
  assert.equal(redactedUrl('bad: http://u:p@s3cret@h/', none), 'bad: http://h/')
})

test('what may hold a credential in a header is not logged, whatever it is called', () => {
  for (const name of [
    'authorization',
    'proxy-authorization',
    'cookie',
    'x-api-key',
    'x-auth',
    'x-csrf-token',
    'x-session-id',
    'ocp-apim-subscription-key',
    'x-access-key',
    'x-pwd',
    'x-passphrase',
    'authentication-info',
    'x-amz-security-token',
  ])
    assert.equal(redactedHeader(name, 's3cret', none), '[redacted]', name)
  for (const name of ['user-agent', 'idempotency-key', 'x-author', 'accept', 'x-monkey'])
    assert.equal(redactedHeader(name, 'plain', none), 'plain', name)
  assert.equal(redactedHeader('referer', 'https://a/b?code=c&x=1', none), 'https://a/b?code=[redacted]&x=1')
  assert.equal(redactedHeader('accept', ['a', 'b'], none), 'a, b')
  assert.equal(redactedHeader('accept', 'x'.repeat(600), none).length, 515)
})
