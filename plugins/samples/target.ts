/** A sample target: says who it is and what it was asked. Run by `index.ts`, one process each. */
import http from 'node:http'

const port = Number(process.argv[2])

const server = http.createServer((request, response) => {
  request.resume()
  request.on('end', () => {
    const { method, url, headers } = request
    response.setHeader('content-type', 'application/json')
    response.end(
      `${JSON.stringify({ hello: 'from a sample target', port, pid: process.pid, method, url, headers }, null, 2)}\n`,
    )
  })
})
server.on('error', (error) => {
  process.send?.({ error: error.message })
  process.exit(1)
})
server.listen(port, '127.0.0.1', () => process.send?.({ listening: port }))

// The terminal's Ctrl-C reaches this process as well: it stays until the gateway has drained.
process.on('SIGINT', () => {})
process.on('disconnect', () => process.exit(0))
