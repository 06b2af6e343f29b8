import type { FastifyReply, FastifyRequest } from 'fastify'
import { messageOf } from '../config/messages.ts'
import type { CompiledRoute } from './compile.ts'

/**
 * In this order, for each request that a route takes, before its body is read. A guard that answers by itself
 * (a preflight) or refuses ends it.
 */
export const STAGES = [
  'cors',
  'address',
  'limit-by-address',
  'preflight',
  'authenticate',
  'authorize',
  'limit-by-identity',
] as const
export type Stage = (typeof STAGES)[number]

/** Throws or rejects with a `GatewayError` to refuse; sends a reply to answer by itself. */
export type Guard = (request: FastifyRequest, reply: FastifyReply) => void | Promise<void>

/** What a concern has to say before a request of a route is served. */
export interface GuardSpec {
  readonly name: string
  readonly stage: Stage
  /** Asked once for every route, when the server is about to be ready; undefined leaves the route alone. */
  forRoute(route: CompiledRoute): Guard | undefined
  /**
   * Whether it answers CORS preflights for the route. They are then routed by the method that they ask for, and
   * `request.isPreflight` says so. Default: never.
   */
  answersPreflight?(route: CompiledRoute): boolean
  /** Asked once: runs before a request is refused that no route takes. Default: nothing. */
  forUnrouted?(): Guard | undefined
}

/** The guards of each route, in the order of their stages, and within one in the order in which they were added. */
export function guardsByRoute(
  specs: readonly GuardSpec[],
  routes: readonly CompiledRoute[],
): ReadonlyMap<CompiledRoute, readonly Guard[]> {
  const ordered = STAGES.flatMap((stage) => specs.filter((spec) => spec.stage === stage))
  return new Map(
    routes.map((route) => [route, ordered.flatMap((spec) => spec.forRoute(route) ?? [])] as const),
  )
}

/** Runs guards one after another. Without a pause where none of them needs one. */
export function runGuards(
  guards: readonly Guard[],
  request: FastifyRequest,
  reply: FastifyReply,
  done: (error?: Error) => void,
  from = 0,
): void {
  for (let i = from; i < guards.length; i++) {
    let pending: void | Promise<void>
    try {
      pending = (guards[i] as Guard)(request, reply)
    } catch (error) {
      done(error as Error)
      return
    }
    if (pending !== undefined) {
      pending.then(
        () => (reply.sent ? undefined : runGuards(guards, request, reply, done, i + 1)),
        (error) =>
          done(error instanceof Error ? error : new Error(`a guard rejected with ${messageOf(error)}`)),
      )
      return
    }
    if (reply.sent) return
  }
  done()
}
