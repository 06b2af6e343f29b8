import type { Server } from 'node:net'

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

/** What stands in the way of listening there, with the remedy; errors of another kind are returned as they are. */
export function listenError(error: NodeJS.ErrnoException & { port?: number; address?: string }): Error {
  if (error instanceof ListenError) return error
  const { code = '', port, address } = error
  const where = port === undefined ? `the socket ${address}` : `port ${port} on ${address}`
  switch (code) {
    case 'EADDRINUSE':
      return new ListenError(
        code,
        `${where} is taken; stop what listens there${port === undefined ? '' : ` (find it with: ss -ltnp 'sport = :${port}')`} or choose another`,
      )
    case 'EACCES':
      return new ListenError(
        code,
        `${where} may not be opened by this user; choose a port from 1024 up, or give the process CAP_NET_BIND_SERVICE`,
      )
    case 'EADDRNOTAVAIL':
      return new ListenError(
        code,
        `${address} is no address of this machine; choose one of its own, or 0.0.0.0`,
      )
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new ListenError(code, `${error.message}: the host to listen on is not known; give an address`)
    default:
      return error
  }
}

/** Resolves once the listener listens. Throws a `ListenError` that says what is in the way. */
export function bind(listener: Server, at: { port: number; host: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => reject(listenError(error))
    listener.once('error', failed)
    listener.listen(at, () => {
      listener.off('error', failed)
      resolve()
    })
  })
}
