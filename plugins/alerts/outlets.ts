/** The ways out of the gateway: the network, the log, the user's own function. */

import type { FastifyBaseLogger } from 'fastify'
import { messageOf } from '../config/messages.ts'
import type { Delivered } from './notify/delivery.ts'
import type { Notification } from './notify/notification.ts'
import type { Outlets } from './notify/receivers.ts'

/** Why it failed, without the address: that may hold a secret. */
function reason(error: unknown): string {
  const { name, cause } = error as Error & { cause?: { code?: unknown; message?: unknown } }
  if (name === 'TimeoutError') return 'no answer in time'
  if (cause?.message === 'bad port')
    return 'a port that fetch refuses (https://fetch.spec.whatwg.org/#port-blocking)'
  return typeof cause?.code === 'string' ? cause.code : name
}

async function post(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Delivered> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'user-agent': 'holdfast', ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      // Followed, a redirect would send what may hold secrets somewhere else.
      redirect: 'manual',
      signal,
    })
    // Nothing of it is needed; unread it would hold the connection. What goes wrong now does not undo the answer.
    response.body?.cancel().catch(() => {})
    return response.ok ? { ok: true } : { ok: false, why: `answered with ${response.status}` }
  } catch (error) {
    return { ok: false, why: reason(error) }
  }
}

function log(logger: FastifyBaseLogger, { alerts }: Notification): void {
  for (const { status, labels, annotations, startsAt } of alerts) {
    const level = status === 'resolved' ? 'info' : labels['severity'] === 'critical' ? 'error' : 'warn'
    logger[level]({ status, labels, annotations, startsAt }, annotations['summary'] ?? 'alert')
  }
}

/** Runs the user's function, and waits for it no longer than this. */
async function call(
  run: () => void | Promise<void>,
  timeout: number,
  signal: AbortSignal,
): Promise<Delivered> {
  let late: NodeJS.Timeout | undefined
  let stopped = (): void => {}
  const over = new Promise<Delivered>((resolve) => {
    stopped = () => resolve({ ok: false, why: 'no answer in time' })
    late = setTimeout(stopped, timeout).unref()
    signal.addEventListener('abort', stopped, { once: true })
  })
  const ran = (async (): Promise<Delivered> => {
    try {
      await run()
      return { ok: true }
    } catch (error) {
      return { ok: false, why: messageOf(error) }
    }
  })()
  const delivered = await Promise.race([ran, over])
  clearTimeout(late)
  signal.removeEventListener('abort', stopped)
  return delivered
}

/** @param stopping ends what is under way */
export function outlets(logger: FastifyBaseLogger, stopping: AbortSignal): Outlets {
  return {
    post: (url, body, headers, timeout) =>
      post(url, body, headers, AbortSignal.any([AbortSignal.timeout(timeout), stopping])),
    log: (notification) => log(logger, notification),
    call: (run, timeout) => call(run, timeout, stopping),
  }
}
