import type { Kind } from '../availability/answer.ts'

/** One request, and how its client behaves. Times in ms. */
export interface PlannedRequest {
  /** When it is sent, counted from the beginning of the load. */
  readonly at: number
  readonly kind: Kind
  /** On a connection that is used again, or on one of its own. */
  readonly keepAlive: boolean
  /** Its body, if it has one, comes without a content-length. */
  readonly chunkedBody: boolean
  /** After this the client is gone, whatever has come by then. Undefined: it stays to the end. */
  readonly leaveAfter: number | undefined
}

/** How many of a thousand requests are of each kind. */
const mix: readonly (readonly [Kind, number])[] = [
  ['small', 450],
  ['chunked', 270],
  ['orders', 200],
  ['large', 30],
  ['uploads', 30],
  ['events', 18],
  ['huge', 2],
]
const whole = mix.reduce((sum, [, share]) => sum + share, 0)
const shareOnKeptConnections = 0.8
const shareThatLeaves = 0.05
/** Most of those that leave do so while something is under way: it takes a few milliseconds, or with a fault seconds. */
const leaves = { least: 0.5, most: 2000 }
/** Nobody waits for the end of a stream of events. */
const listens = { least: 200, most: 8000 }

/** Poisson arrivals without end. */
export function* plannedRequests(perSecond: number, random: () => number): Generator<PlannedRequest, never> {
  let at = 0
  while (true) {
    at += (-Math.log(1 - random()) * 1000) / perSecond
    const kind = kindAt(random() * whole)
    const keepAlive = random() < shareOnKeptConnections
    const chunkedBody = random() < 0.5
    const left = random() < shareThatLeaves
    const when = random()
    const span = kind === 'events' ? listens : left ? leaves : undefined
    yield { at, kind, keepAlive, chunkedBody, leaveAfter: span && logUniform(span.least, span.most, when) }
  }
}

/** Any order of magnitude is as likely as any other. */
export function logUniform(least: number, most: number, dice: number): number {
  return least * (most / least) ** dice
}

function kindAt(place: number): Kind {
  let end = 0
  for (const [kind, share] of mix) {
    end += share
    if (place < end) return kind
  }
  return 'small'
}
