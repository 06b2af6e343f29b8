import http from 'node:http'
import { answerTo, eventOf, methodOf, pathOf, sentWith } from '../availability/answer.ts'
import type { Fate } from './ledger.ts'
import type { PlannedRequest } from './request-plan.ts'

/** How long nothing may come (ms): beyond every deadline of soak.config.ts, with time for three attempts. */
const patienceMs = 20_000
/** A stream of events brings one every 100 ms, and the gateway gives it up after 4 s of silence. */
const silenceMs = 7000
const uploadPieces = 8
const uploadPauseMs = 4
/** A slow reader takes so many bytes at a time, so often (ms): some 4 s for a huge answer. */
const sip = { bytes: 2 ** 16, everyMs: 30 }

/** @param attempts what the gateway says that it tried */
export type Done = (fate: Fate, detail?: string, attempts?: string) => void

/** Sends one request and says once how it ended. */
export function exchange(
  port: number,
  id: string,
  plan: PlannedRequest,
  agent: http.Agent,
  done: Done,
): void {
  const { kind, keepAlive, leaveAfter } = plan
  const body = sentWith(kind, id)
  const request = http.request({
    host: '127.0.0.1',
    port,
    agent: keepAlive ? agent : false,
    path: pathOf(kind, id),
    method: methodOf(kind),
    headers: {
      'x-holdfast-debug': '1',
      ...(keepAlive ? {} : { connection: 'close' }),
      ...(body === undefined ? {} : { 'content-type': 'text/plain' }),
      ...(body === undefined || plan.chunkedBody ? {} : { 'content-length': body.length }),
    },
  })
  let [over, began, moved] = [false, false, performance.now()]
  const finish: Done = (fate, detail, attempts) => {
    if (over) return
    over = true
    clearInterval(watch)
    clearTimeout(leaving)
    if (fate !== 'answered' && fate !== 'status') request.destroy()
    done(fate, detail, attempts)
  }
  const limit = kind === 'events' ? silenceMs : patienceMs
  const watch = setInterval(() => {
    if (performance.now() - moved > (began ? limit : patienceMs))
      finish('hung', began ? 'in the answer' : 'before it')
  }, 1000)
  const leaving = leaveAfter === undefined ? undefined : setTimeout(() => finish('left'), leaveAfter)

  request.on('error', (error: NodeJS.ErrnoException) => {
    finish(began ? 'cut' : 'unanswered', error.code ?? error.message)
  })
  // The connection may close before a slow reader has taken what it brought: from then on the answer tells.
  request.on('close', () => {
    if (!began) finish('unanswered', 'closed')
  })
  request.on('response', (response) => {
    began = true
    const status = response.statusCode ?? 0
    const parts: Buffer[] = []
    const take = (part: Buffer) => {
      moved = performance.now()
      parts.push(part)
    }
    if (kind === 'huge' && status < 400) sipFrom(response, take)
    else response.on('data', take)
    response.on('error', () => finish('cut'))
    response.on('close', () => finish('cut'))
    response.on('end', () => {
      if (!response.complete) return finish('cut')
      if (status >= 400) {
        return finish('status', String(status), String(response.headers['x-holdfast-attempts'] ?? 'none'))
      }
      const text = Buffer.concat(parts).toString('latin1')
      if (text === (kind === 'events' ? eventsTo(id, text) : answerTo(kind, id))) return finish('answered')
      finish('wrong', `${text.length} bytes with status ${status}: ${text.slice(0, 60)}`)
    })
  })
  if (kind === 'uploads' && body !== undefined) sendInPieces(request, body)
  else request.end(body)
}

/** The events that a stream of this length consists of. */
function eventsTo(id: string, text: string): string {
  let expected = ''
  for (let number = 0; expected.length < text.length; number++) expected += eventOf(id, number)
  return expected
}

function sendInPieces(request: http.ClientRequest, body: string): void {
  const length = Math.ceil(body.length / uploadPieces)
  let sent = 0
  const next = () => {
    if (request.destroyed) return
    const piece = body.slice(sent, sent + length)
    sent += length
    if (sent >= body.length) return void request.end(piece)
    request.write(piece)
    setTimeout(next, uploadPauseMs)
  }
  next()
}

function sipFrom(response: http.IncomingMessage, take: (part: Buffer) => void): void {
  let timer: NodeJS.Timeout | undefined
  const next = () => {
    timer = undefined
    let room = sip.bytes
    while (room > 0) {
      const part: Buffer | null = response.read()
      if (part === null) break
      take(part)
      room -= part.length
    }
    if (room <= 0) timer = setTimeout(next, sip.everyMs)
  }
  response.on('readable', () => {
    timer ??= setTimeout(next, sip.everyMs)
  })
  response.once('close', () => clearTimeout(timer))
}
