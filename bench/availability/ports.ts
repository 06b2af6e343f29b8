import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'

const rangeFile = '/proc/sys/net/ipv4/ip_local_port_range'

/**
 * Free ports of 127.0.0.1 from which the kernel takes none for outgoing connections. While a target is dead, one of
 * those could take its port, so that it could not come back; and a connection to it could even meet itself.
 */
export async function steadyPorts(count: number): Promise<number[]> {
  const outgoing = Number.parseInt(readFileSync(rangeFile, 'latin1'), 10)
  const ports: number[] = []
  for (let port = outgoing - 1 - (process.pid % 5000); ports.length < count && port > 1024; port--) {
    if (await isFree(port)) ports.push(port)
  }
  if (ports.length < count) throw new Error(`no ${count} free ports below ${outgoing}, see ${rangeFile}`)
  return ports
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
