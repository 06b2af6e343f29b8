import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

// Linux takes the ports of `listen(0)` and of outgoing connections from 32768 up. A port from there that was
// free a moment ago may be a neighbour's the next: test files run side by side.
const FIRST = 10_000
const PER_PROCESS = 500
const PROCESSES = 44

let claimed: Promise<number> | undefined
let given = 0

/**
 * A port of 127.0.0.1 that nobody holds, and that nobody else is given: each process has 500 of its own. It
 * comes up again only after the 499 others.
 */
export async function freePort(): Promise<number> {
  claimed ??= claim()
  const first = await claimed
  for (let tries = 0; tries < PER_PROCESS; tries++) {
    const port = first + 1 + (given++ % (PER_PROCESS - 1))
    const server = await bind(port)
    if (server === undefined) continue
    server.close()
    await once(server, 'close')
    return port
  }
  throw new Error(`all ports from ${first} to ${first + PER_PROCESS} are taken: close some of their programs`)
}

/** Makes `server` listen on such a port, and tells which. */
export async function portFor(server: Server): Promise<number> {
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return port
}

/** The first port of a process's own is held as long as it lives: that tells the others to keep off. */
async function claim(): Promise<number> {
  for (let tries = 0; tries < PROCESSES; tries++) {
    const first = FIRST + ((process.pid + tries) % PROCESSES) * PER_PROCESS
    const server = await bind(first)
    if (server === undefined) continue
    server.unref()
    return first
  }
  throw new Error(`${PROCESSES} processes have claimed ports from ${FIRST} up: end some of them`)
}

function bind(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}
