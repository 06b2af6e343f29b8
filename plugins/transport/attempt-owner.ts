import type { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import type { Outcome } from '../upstreams/contract.ts'
import type { AttemptRecord } from '../upstreams/exchange.ts'
import type { AnswerStream } from './answer.ts'
import type { Attempt } from './attempt.ts'
import type { Deadlines } from './deadlines.ts'
import type { Memory } from './memory.ts'
import type { Answered } from './outcomes.ts'

/** Deadlines of an attempt in milliseconds; 0 is none. */
export interface AttemptTimeouts {
  readonly connect: number
  readonly response: number
  readonly idle: number
}

export interface AttemptOptions {
  readonly method: string
  readonly path: string
  readonly headers: string[]
  readonly body: Buffer | Readable | null
  readonly timeouts: AttemptTimeouts
  /** What the target has; an attempt beyond them waits for its turn. */
  readonly connections: number
  /** Milliseconds that it waits; 0 is as long as for a connection. */
  readonly queueTimeout: number
  readonly deadlines: Deadlines
  /** Answers up to this many bytes are gathered. */
  readonly gather: number
  /** Milliseconds that an answer of unknown length is gathered for. */
  readonly gatherWithin: number
  readonly memory: Memory
}

/** undici's, with the option that its types leave out. */
export interface DispatchOptions {
  origin: string
  path: string
  method: string
  headers: string[]
  body: Buffer | Readable | null
  servername: string | undefined
  reset?: boolean
}

/** Whom an attempt reports to. Each attempt ends in exactly one of `whole`, `streams` or `failed`, or in silence once discarded or abandoned. */
export interface AttemptOwner {
  /** The response head is here: is it wanted? */
  headed(attempt: Attempt, outcome: Answered): 'keep' | 'discard'
  /**
   * The time for gathering is over, and nothing has come for `quietMs`: for how long (ms) it is to go on all the same;
   * 0 streams what there is.
   */
  hold(attempt: Attempt, quietMs: number): number
  whole(attempt: Attempt, body: Buffer | string | null): void
  streams(attempt: Attempt, body: AnswerStream): void
  /** While its answer streamed, the target was waited for by this much (ms): the client had taken what there was. */
  waited(milliseconds: number): void
  failed(attempt: Attempt, error: unknown, outcome: Outcome): void
  /** What was streaming ends because the client was too slow, and its stream is about to. */
  gaveWay(error: Error): void
  /** What was streaming has failed, and its stream is about to. */
  broke(): void
}

/**
 * Is told of each attempt before it is sent, and may change its headers in place: name, value, name, value; names in
 * lower case. `record` is undefined for a copy that goes to a mirror. Must not throw.
 */
export type AttemptHook = (
  request: FastifyRequest,
  record: AttemptRecord | undefined,
  headers: string[],
) => void
