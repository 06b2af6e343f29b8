import { Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { constants, createGzip } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { takesGzip } from './exposition/negotiate.ts'

/** Answers under way at once. Each holds a slice; more who ask would only wait for each other. */
const MOST = 4
/** Who has not taken all by then is cut off, in milliseconds. */
const LONGEST_MS = 60_000
/** Characters from which on a piece is passed on. */
const SLICE = 32 * 1024

/** Others get their turn between two pieces, and none is made before the one before it is taken. */
async function* inTurn(pieces: Iterable<string>): AsyncGenerator<string> {
  let text = ''
  for (const piece of pieces) {
    text += piece
    if (text.length < SLICE) continue
    yield text
    text = ''
    await turn()
  }
  if (text !== '') yield text
}

/** Sends what is long piece by piece, and no faster than it is taken. */
export class SlicedAnswers {
  readonly #longestMs: number
  #underWay = 0

  constructor(longestMs = LONGEST_MS) {
    this.#longestMs = longestMs
  }

  /** @param sent all of it has been taken */
  send(
    request: FastifyRequest,
    reply: FastifyReply,
    type: string,
    pieces: () => Iterable<string>,
    sent: () => void = () => {},
  ): FastifyReply {
    reply.header('cache-control', 'no-store')
    if (this.#underWay >= MOST) {
      return reply
        .code(503)
        .header('retry-after', '1')
        .type('text/plain; charset=utf-8')
        .send('Too many ask at once\n')
    }
    this.#underWay++
    const body = Readable.from(inTurn(pieces()), { objectMode: false, highWaterMark: SLICE })
    const late = setTimeout(() => reply.raw.destroy(), this.#longestMs).unref()
    reply.raw.once('close', () => {
      clearTimeout(late)
      this.#underWay--
      body.destroy()
      if (reply.raw.writableFinished) sent()
    })
    reply.type(type).header('vary', 'accept, accept-encoding')
    if (!takesGzip(request.headers['accept-encoding'])) return reply.send(body)
    // Level 1 makes a tenth of it already.
    const gzip = createGzip({ level: constants.Z_BEST_SPEED })
    body.on('error', (error) => gzip.destroy(error))
    gzip.on('close', () => body.destroy())
    return reply.header('content-encoding', 'gzip').send(body.pipe(gzip))
  }
}

export interface Pages {
  metrics(request: FastifyRequest): { readonly type: string; pieces(): Iterable<string>; sent(): void }
  /** @param targets whether those are wanted too: there may be many */
  stats(targets: boolean): Iterable<string>
}

export function serveMetrics(admin: FastifyInstance, pages: Pages): void {
  const answers = new SlicedAnswers()
  admin.get('/metrics', (request, reply) => {
    const { type, pieces, sent } = pages.metrics(request)
    return answers.send(request, reply, type, pieces, sent)
  })
  admin.get<{ Querystring: { targets?: string } }>('/stats', (request, reply) =>
    answers.send(request, reply, 'application/json; charset=utf-8', () =>
      pages.stats(request.query.targets !== 'false'),
    ),
  )
}
