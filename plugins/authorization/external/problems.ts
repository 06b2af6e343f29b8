import { conflated } from '../../config/own-headers.ts'
import type { ExternalConfig } from '../schema.ts'

/** Headers that belong to the connection or the message's form, or that the question says itself. */
const RESERVED =
  /^(?:connection|content-(?:length|type|encoding)|expect|forwarded|host|http2-settings|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|via|x-forwarded-.*|x-identity-id|x-request-id)$/

/** What a schema cannot say of `external`. */
export function externalProblems(config: ExternalConfig, say: (message: string, key: string) => void): void {
  const { upstream, url, path, headers, toUpstream, toClient, cache } = config
  if ((upstream === undefined) === (url === undefined))
    say('asks whom? Give it one of `upstream` and `url`', upstream === undefined ? 'upstream' : 'url')
  if (url !== undefined) {
    if (path !== undefined) say('goes with `upstream`; write it at the end of `url`', 'path')
    const parsed = URL.parse(url)
    if (parsed === null) say('is no URL; write "https://authz.internal/check"', 'url')
    else if (parsed.username !== '' || parsed.password !== '')
      say('has a password in it, which would be logged; let the service do without', 'url')
    else if (parsed.hash !== '') say('has a fragment, which no server sees; take it out', 'url')
  }
  const check = (names: readonly string[], key: string): void => {
    for (const name of names) {
      if (RESERVED.test(conflated(name)))
        say(`"${name}" belongs to the connection or is seen to by the gateway; take it out`, key)
    }
  }
  check(headers, 'headers')
  check(toUpstream, 'toUpstream')
  check(toClient, 'toClient')
  if (cache?.callerOnly === true && headers.length === 0)
    say('with no `headers` all callers would share one answer; say which of them tell callers apart', 'cache')
}
