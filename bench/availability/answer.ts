// What targets answer and clients expect: both compute it from the id, so that one wrong or missing byte shows.

/** The first part of a path: GETs are `small` or `chunked`, POSTs are `orders`. */
export type Kind = 'small' | 'chunked' | 'orders'

/** Length (bytes) of the answer to each kind of request. */
const answerBytes: Readonly<Record<Kind, number>> = { small: 300, chunked: 2048, orders: 120 }
/** Length (bytes) of a POST's body. */
const orderBytes = 200

export const healthPath = '/healthz'
export const healthAnswer = 'ok\n'

export function pathOf(kind: Kind, id: string): string {
  return `/${kind}/${id}`
}

/** Undefined for a path that is none of ours. */
export function readPath(path: string): { kind: Kind; id: string } | undefined {
  const [, kind = '', id = ''] = path.split('/')
  return Object.hasOwn(answerBytes, kind) && id !== '' ? { kind: kind as Kind, id } : undefined
}

export function answerTo(kind: Kind, id: string): string {
  return pattern(`${kind} ${id} `, answerBytes[kind])
}

/** The body of a POST. */
export function order(id: string): string {
  return pattern(`order ${id} `, orderBytes)
}

/** `begin`, then letters that depend on it and on their place. */
function pattern(begin: string, bytes: number): string {
  let state = 0x811c9dc5
  for (let i = 0; i < begin.length; i++) state = Math.imul(state ^ begin.charCodeAt(i), 0x01000193)
  let text = begin
  while (text.length < bytes) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    text += String.fromCharCode(97 + ((state >>> 16) % 26))
  }
  return text
}
