import type { UpstreamConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import { written } from '../config/messages.ts'

type HealthCheck = NonNullable<UpstreamConfig['healthCheck']>

/** Options that say something to some types of checks only. */
const FOR: Readonly<Partial<Record<keyof HealthCheck, readonly string[]>>> = {
  path: ['http'],
  method: ['http'],
  status: ['http'],
  body: ['http'],
  service: ['grpc'],
  headers: ['http', 'grpc'],
  host: ['http', 'grpc'],
}

/** Headers that belong to the connection or to the message's form, which the check sees to itself. */
const OWN =
  /^(connection|content-length|expect|http2-settings|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade)$/i
const NAME = /^[\w!#$%&'*+.^`|~-]+$/
const VALUE = /^[\t -~]*$/

/** What a schema cannot say of health checks: options that do not go together. */
export function healthCheckProblems(
  upstream: string,
  check: HealthCheck,
  targets: UpstreamConfig['targets'],
): Problem[] {
  const problems: Problem[] = []
  const say = (key: string, message: string, ...more: string[]): void => {
    problems.push({ path: written('upstreams', upstream, 'healthCheck', key, ...more), message })
  }
  for (const [key, types] of Object.entries(FOR)) {
    if (check[key as keyof HealthCheck] === undefined || types.includes(check.type)) continue
    say(key, `says nothing to a ${check.type} check; take it out, or set \`type: '${types[0]}'\``)
  }
  if (check.body !== undefined && check.method === 'HEAD') {
    say('body', "answers to HEAD have no body; take it out, or set `method: 'GET'`")
  }
  if (check.fastInterval !== undefined && check.fastInterval > check.interval) {
    const message = 'is longer than `interval`, but a target in transition is to be checked more often'
    say('fastInterval', `${message}; write ${check.interval} milliseconds or less`)
  }
  if (check.port !== undefined && targets.every(({ origin }) => origin.startsWith('unix:'))) {
    say('port', 'no target has a port, they are all unix sockets; take it out')
  }
  for (const [name, value] of Object.entries(check.headers ?? {})) {
    if (name.toLowerCase() === 'host') say('headers', 'is set by `host`; use that instead', name)
    else if (!NAME.test(name)) say('headers', 'is no name of a header; use letters, digits and "-"', name)
    else if (OWN.test(name) || (check.type === 'grpc' && /^content-type$/i.test(name)))
      say('headers', 'is seen to by the check itself; take it out', name)
    else if (!VALUE.test(value))
      say('headers', 'has characters that a header cannot have; use printable ASCII', name)
  }
  return problems
}
