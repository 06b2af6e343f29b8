import type { Server } from 'node:net'
import { MAIN_PORT, type PortUse, portClashes } from './ports.ts'

/** A port that cannot be had, said in one line. */
export class ListenError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.name = 'ListenError'
    this.code = code
    // The machine is at fault and not a line of ours: a stack would only bury the message.
    this.stack = message
  }
}

type SystemError = NodeJS.ErrnoException & { port?: number; address?: string }

/**
 * What stands in the way of listening there, with the remedy; errors of another kind are returned as they are.
 * @param wish whose port it is and where another is chosen: `listeners[0].port`
 */
export function listenError(error: SystemError, wish: string): Error {
  if (error instanceof ListenError) return error
  const { code = '', port, address } = error
  const where = port === undefined ? `the socket ${address}` : `port ${port} on ${address}`
  const say = (message: string): ListenError => new ListenError(code, `${wish}: ${message}`)
  switch (code) {
    case 'EADDRINUSE': {
      const find = port === undefined ? '' : ` (find it with: ss -ltnp 'sport = :${port}')`
      return say(`${where} is taken; stop what listens there${find} or choose another`)
    }
    case 'EACCES':
      return say(
        `${where} may not be opened by this user; choose a port from 1024 up, or give the process CAP_NET_BIND_SERVICE`,
      )
    case 'EADDRNOTAVAIL':
      return say(`${address} is no address of this machine; choose one of its own, or 0.0.0.0`)
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return say(`${error.message}: the host to listen on is not known; give an address`)
    default:
      return error
  }
}

/** What is in the way of several, told at once. */
function listenErrors(errors: readonly Error[]): Error {
  const [first] = errors as [Error]
  if (errors.length === 1 || !errors.every((error) => error instanceof ListenError)) return first
  return new ListenError((first as ListenError).code, errors.map(({ message }) => message).join('\n'))
}

/** Resolves once the listener listens. Throws a `ListenError` that says what is in the way. */
export function bind(listener: Server, at: { port: number; host: string }, wish: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => reject(listenError(error, wish))
    listener.once('error', failed)
    listener.listen(at, () => {
      listener.off('error', failed)
      resolve()
    })
  })
}

/** Opens something, and returns what closes it again. */
type Open = () => Promise<() => void>

const TOGETHER = Symbol('holdfast.together')
type Together = Server & { [TOGETHER]?: Open[] }

async function openAll(all: readonly Open[]): Promise<void> {
  const opened = await Promise.allSettled(all.map((open) => open()))
  const failed = opened.flatMap((one) => (one.status === 'rejected' ? [one.reason as Error] : []))
  if (failed.length === 0) return
  for (const one of opened) if (one.status === 'fulfilled') one.value()
  throw listenErrors(failed)
}

/** What of `ports` is where the main listener is going to be. */
function refuseClash(at: unknown, ports: readonly PortUse[]): void {
  const { port, host = 'localhost' } = (at ?? {}) as { port?: number; host?: string }
  if (port === undefined) return
  const main = { path: '', name: MAIN_PORT, port, host }
  const lines = ports
    .flatMap((use) => portClashes([main, use]))
    .map(({ path, message }) => `${path}: ${message}`)
  if (lines.length > 0) throw new ListenError('EADDRINUSE', lines.join('\n'))
}

/**
 * From now on `listen` opens, right before the main listener, all that was added with `opensWith`, or none of it.
 * What is in the way of one is in the way of `listen`; Fastify logs what an `onListen` hook throws and goes on.
 * @param ports none of which the main listener may be given
 */
export function openTogether(main: Server, ports: readonly PortUse[]): void {
  const all: Open[] = []
  const server = main as Together
  server[TOGETHER] = all
  const listen = server.listen.bind(server) as (...options: unknown[]) => Server
  const open = async (at: unknown): Promise<void> => {
    refuseClash(at, ports)
    await openAll(all)
  }
  server.listen = ((...options: unknown[]) => {
    open(options[0]).then(
      () => listen(...options),
      (error) => server.emit('error', error),
    )
    return server
  }) as typeof server.listen
}

/** Has `open` run when `main` is about to listen. */
export function opensWith(main: Server, open: Open): void {
  ;(main as Together)[TOGETHER]?.push(open)
}
