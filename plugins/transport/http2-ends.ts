import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { type ClientHttp2Stream, constants } from 'node:http2'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'

const CREATED = 'http2.client.stream.created'
/** On the sockets of our connections to targets: streams of others are none of our business. */
const OURS = Symbol('holdfast.http2')
/** On a stream whose peer has said that this is all. */
const WHOLE = Symbol('holdfast.whole')
/** On a stream that we have closed and not destroyed yet. */
const CLOSING = Symbol('holdfast.closing')

type Ends = ClientHttp2Stream & { [WHOLE]?: true; [CLOSING]?: boolean }

function cutOff(stream: Ends): void {
  stream.destroy(new Error('the stream was reset before the end of the answer'))
}

/**
 * Node ends a stream that its peer resets with NO_ERROR or CANCEL as if all had been sent. Of the two only a true end
 * comes while the stream is not closed yet.
 */
function push(this: Ends, chunk: Buffer | null): boolean {
  if (chunk === null) {
    if (!this.closed) this[WHOLE] = true
    else if (this[WHOLE] === undefined) {
      // Not at once: Node is in the middle of closing it.
      process.nextTick(cutOff, this)
      return false
    }
  }
  return Readable.prototype.push.call(this, chunk)
}

/**
 * undici gives a request up with NO_ERROR, before which Node ends its body: a target would take what it has of it for
 * all of it. A client that leaves has cancelled it.
 */
function close(this: Ends, code: number = constants.NGHTTP2_CANCEL, callback?: () => void): void {
  this[CLOSING] = true
  Object.getPrototypeOf(this).close.call(this, code, callback)
}

/**
 * And it destroys the stream at once, before the reset is on its way: with a body still to be sent, Node's session then
 * turns in circles for ever, and the process with it (Node 26.10, undici 8.13: `test/transport/aborts.test.ts`).
 */
function destroy(this: Ends, error?: Error): Ends {
  const now = (): void => Object.getPrototypeOf(this).destroy.call(this, error)
  if (this[CLOSING] !== true) now()
  else {
    this[CLOSING] = false
    setImmediate(now)
  }
  return this
}

/**
 * On trailers undici stops to listen for data, and with that throws away what a slow reader has not taken yet: the
 * answer would look whole and end too early. They come behind all of the body, as they do on the wire.
 */
function emit(this: Ends, event: string | symbol, ...values: unknown[]): boolean {
  const emitNow = (): boolean => Readable.prototype.emit.call(this, event, ...values)
  if (event !== 'trailers' || this.readableLength === 0) return emitNow()
  this.prependOnceListener('end', emitNow)
  return true
}

function onCreated(message: unknown): void {
  const { stream } = message as { stream: Ends }
  const socket = stream.session?.socket as (Socket & { [OURS]?: true }) | undefined
  if (socket?.[OURS] === true) Object.assign(stream, { push, close, destroy, emit })
}

/** To be called with the sockets of connections to targets. */
export function needsTrueEnds(socket: Socket): void {
  Object.assign(socket, { [OURS]: true })
}

/**
 * Has an answer of HTTP/2 end only where the target has ended it (END_STREAM; RFC 9113, 8.1): a reset, whatever its
 * code, is an error, so that no answer that was cut off passes for a whole one; and its trailers behind its body. undici makes the streams and shows
 * them to nobody; Node tells of each by this channel, before anything can have come.
 * @returns stops it
 */
export function watchEnds(): () => void {
  // Each a subscriber of its own: two gateways may share a process.
  const subscriber = (message: unknown): void => onCreated(message)
  subscribe(CREATED, subscriber)
  return () => {
    unsubscribe(CREATED, subscriber)
  }
}
