// What targets answer and clients expect: both compute it from the id, so that one wrong or missing byte shows.

/**
 * The first part of a path. GETs are `small`, `chunked`, `large`, `huge` or `events`, POSTs `orders`, PUTs `uploads`.
 * `large`, `huge`, `uploads` and `events` are for the soak only.
 */
export type Kind = 'small' | 'chunked' | 'orders' | 'large' | 'huge' | 'uploads' | 'events'

/** Length (bytes) of the answer to each kind of request; events go on. */
const answerBytes: Readonly<Record<Kind, number>> = {
  small: 300,
  chunked: 2048,
  orders: 120,
  large: 2 ** 20,
  huge: 2 ** 23,
  uploads: 120,
  events: 0,
}
/** Length (bytes) of a body that is sent. */
const sentBytes: Readonly<Partial<Record<Kind, number>>> = { orders: 200, uploads: 2 ** 18 }
/** What is longer repeats a block of this length (bytes): a prime, so that the place of every chunk shows. */
const blockBytes = 4099

export const healthPath = '/healthz'
export const healthAnswer = 'ok\n'

export function pathOf(kind: Kind, id: string): string {
  return `/${kind}/${id}`
}

export function methodOf(kind: Kind): 'GET' | 'POST' | 'PUT' {
  if (kind === 'orders') return 'POST'
  return kind === 'uploads' ? 'PUT' : 'GET'
}

/** Undefined for a path that is none of ours. */
export function readPath(path: string): { kind: Kind; id: string } | undefined {
  const [, kind = '', id = ''] = path.split('/')
  return Object.hasOwn(answerBytes, kind) && id !== '' ? { kind: kind as Kind, id } : undefined
}

export function answerTo(kind: Kind, id: string): string {
  return pattern(`${kind} ${id} `, answerBytes[kind])
}

/** Whether the answer comes without a content-length. */
export function isChunked(kind: Kind, id: string): boolean {
  return (
    kind === 'chunked' || ((kind === 'large' || kind === 'huge') && id.charCodeAt(id.length - 1) % 2 === 0)
  )
}

/** The body of a POST. */
export function order(id: string): string {
  return sentWith('orders', id) ?? ''
}

/** The body of a request, or undefined if it has none. */
export function sentWith(kind: Kind, id: string): string | undefined {
  const bytes = sentBytes[kind]
  return bytes === undefined ? undefined : pattern(`${kind === 'orders' ? 'order' : kind} ${id} `, bytes)
}

/** A server-sent event, the first one being number 0. */
export function eventOf(id: string, number: number): string {
  return `data: ${pattern(`event ${number} of ${id} `, 80)}\n\n`
}

/** `begin`, then letters that depend on it and on their place. */
function pattern(begin: string, bytes: number): string {
  if (bytes > blockBytes) {
    return pattern(begin, blockBytes)
      .repeat(Math.ceil(bytes / blockBytes))
      .slice(0, bytes)
  }
  let state = 0x811c9dc5
  for (let i = 0; i < begin.length; i++) state = Math.imul(state ^ begin.charCodeAt(i), 0x01000193)
  let text = begin
  while (text.length < bytes) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    text += String.fromCharCode(97 + ((state >>> 16) % 26))
  }
  return text
}
