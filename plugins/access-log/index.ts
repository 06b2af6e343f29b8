import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { RequestEnd } from '../config/request-end.ts'
import { choose } from './choose.ts'
import { destinationOf, takeOver } from './destination.ts'
import { type LogOptions, lineOf } from './line.ts'
import { coloured, plain, prettyLine } from './pretty.ts'

function clock(now: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const ms = String(now.getMilliseconds()).padStart(3, '0')
  return `${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}.${ms}`
}

type Line = ReturnType<typeof lineOf>

/** How a line is written; `undefined` is as JSON, by the request's own logger. */
function prettyWriter(
  app: FastifyInstance,
  format: LogOptions['format'],
): ((request: FastifyRequest, line: Line) => void) | undefined {
  const { isTTY } = process.stdout
  if (format === 'json' || (format === 'auto' && !isTTY)) return undefined
  const destination = destinationOf(app.log)
  if (destination === undefined) return undefined
  // https://no-color.org
  const paint = isTTY && !process.env['NO_COLOR'] ? coloured : plain
  return (request, line) => {
    destination.write(`${prettyLine(line, clock(new Date()), request.id, paint)}\n`)
  }
}

function logRequests(app: FastifyInstance, options: LogOptions): void {
  let secrets: ReadonlySet<string> | undefined
  const lineOptions = {
    identity: options.identity,
    headers: options.headers.map((name) => name.toLowerCase()),
    /** Made with the first line: those who take credentials say so until the server is ready. */
    get secrets() {
      secrets ??= new Set([...app.secretHeaders, ...app.secretParameters].map((name) => name.toLowerCase()))
      return secrets
    },
  }
  const pretty = prettyWriter(app, options.format)
  app.onRequestEnd((request: FastifyRequest, _reply, end: RequestEnd) => {
    const { write, slow, sample } = choose(end, options, () => Math.random())
    if (!write) return
    const level = slow ? 'warn' : 'info'
    const log = request.log as FastifyRequest['log'] & { isLevelEnabled?(level: string): boolean }
    // A quiet route costs no line that nobody sees.
    if (log.isLevelEnabled?.(level) === false) return
    const line = lineOf(request, end, lineOptions, slow, sample)
    if (pretty === undefined) log[level](line, 'request')
    else pretty(request, line)
  })
}

/** A log that nobody reads, or that has no room, must cost neither requests nor all the memory there is. */
function boundLog(app: FastifyInstance, bytes: number): void {
  let lost = 0
  let untold = 0
  const bounded = takeOver(destinationOf(app.log), bytes, {
    lost() {
      lost++
      untold++
    },
    drained() {
      if (untold === 0) return
      const lines = untold
      untold = 0
      app.log.warn({ lines }, 'log lines were lost: the output did not take them in time')
    },
  })
  if (!bounded) return
  app.upstreams.measure({
    name: 'log_lines_lost_total',
    help: 'Log lines that were lost because the output did not take them in time.',
    type: 'counter',
    labels: [],
    collect: (add) => add(lost),
  })
}

export default fp(
  async (app) => {
    const { logs } = app.gateway
    boundLog(app, logs.buffer)
    if (logs.access) logRequests(app, logs)
    if (!logs.requestId) return
    app.addHook('onRequest', (request, reply, done) => {
      reply.header('x-request-id', request.id)
      done()
    })
  },
  { name: 'access-log', dependencies: ['config', 'upstreams'] },
)
