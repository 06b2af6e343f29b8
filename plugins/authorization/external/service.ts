import { STATUS_CODES } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Lease, Target } from '../../upstreams/contract.ts'
import { ADDRESS_CHANGED } from '../../upstreams/events.ts'
import { undecided } from '../errors.ts'
import type { ExternalConfig } from '../schema.ts'
import { type Address, CallError, ServiceClient } from './client.ts'
import type { Answer } from './external.ts'
import { NoAnswerError } from './no-answer.ts'

/** A service that can be asked. */
export interface Service {
  ask(request: FastifyRequest, headers: Record<string, string>): Promise<Answer>
  close(): void
}

function addressOf(url: URL): Address {
  const secure = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = Number(url.port) || (secure ? 443 : 80)
  const isName = !/^[\d.]+$|:/.test(host)
  return {
    connect: { host, port },
    hostHeader: url.host,
    tls: secure ? { host, servername: isName ? host : '' } : undefined,
  }
}

function ignore(): void {}

/** One server at a fixed address. */
function urlService(text: string, timeoutMs: number): Service {
  const url = new URL(text)
  const client = new ServiceClient(addressOf(url))
  return {
    ask: (_request, headers) => client.get(url.pathname + url.search, headers, timeoutMs, ignore, ignore),
    close: () => client.close(),
  }
}

/** An upstream of the gateway: balanced, and told of as evidence like any other exchange. */
function upstreamService(app: FastifyInstance, name: string, path: string, timeoutMs: number): Service {
  const upstream = app.upstreams.upstream(name)
  const clients = new Map<Target, ServiceClient>()
  app.upstreams.onTargetChange(({ kind, target }) => {
    if (kind !== 'removed') return
    clients.get(target)?.close()
    clients.delete(target)
  })
  app.upstreams.onEvent(({ name, target }) => {
    if (name !== ADDRESS_CHANGED || target === undefined) return
    clients.get(target)?.retire()
    clients.delete(target)
  })
  const clientOf = (target: Target): ServiceClient => {
    const client = clients.get(target) ?? new ServiceClient(app.targetAddress(target))
    clients.set(target, client)
    return client
  }

  const attempt = async (lease: Lease, headers: Record<string, string>, forMs: number): Promise<Answer> => {
    const startedAt = performance.now()
    try {
      return await clientOf(lease.target).get(
        path,
        headers,
        forMs,
        ({ status }) => lease.settle({ kind: 'answered', status, latencyMs: performance.now() - startedAt }),
        () => lease.release(),
      )
    } catch (error) {
      const latencyMs = performance.now() - startedAt
      if (error instanceof CallError) {
        const { reason, requestSent } = error
        lease.settle({ kind: 'failed', reason, requestSent, latencyMs })
      }
      lease.release()
      throw error
    }
  }

  return {
    async ask(request, headers) {
      const endsAt = performance.now() + timeoutMs
      const tried = new Set<Target>()
      const take = (elsewhere: boolean) =>
        upstream.lease({ key: upstream.keyOf(request), repeatable: true, tried, elsewhere })
      const first = take(false)
      if (first === 'overloaded') throw undecided(`all targets of the upstream "${name}" are full`)
      if (first === 'empty') throw new NoAnswerError(`the upstream "${name}" has no target`)
      tried.add(first.target)
      // Half of the time is kept for another target, if there is one: a frozen one must not take it all.
      const alone = !upstream.offers((target) => target !== first.target)
      let failure: unknown
      try {
        const answer = await attempt(first, headers, alone ? timeoutMs : timeoutMs / 2)
        if (answer.status < 500) return answer
        failure = new NoAnswerError(
          `it answered with ${answer.status} ${STATUS_CODES[answer.status] ?? ''}`.trimEnd(),
        )
      } catch (error) {
        if (!(error instanceof NoAnswerError)) throw error
        failure = error
      }
      const left = endsAt - performance.now()
      const second = left > 0 ? take(true) : 'empty'
      if (typeof second === 'string') throw failure
      return attempt(second, headers, left)
    },
    close() {
      for (const client of clients.values()) client.close()
    },
  }
}

export function openService(app: FastifyInstance, { upstream, path, url, timeout }: ExternalConfig): Service {
  if (url !== undefined) return urlService(url, timeout)
  return upstreamService(app, upstream as string, path ?? '/', timeout)
}
