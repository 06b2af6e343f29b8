import { writeSync } from 'node:fs'
import type { FastifyBaseLogger } from 'fastify'
import pino from 'pino'

interface Destination {
  write(text: string): unknown
}

/**
 * Of pino's own (sonic-boom 4): lines wait in memory until the system has taken those before them. What begins with `_`
 * is its inside: `test/access-log/destination.test.ts` shows whether that is still so.
 */
interface Buffering extends Destination {
  /** Bytes; 0 is any number. */
  maxLength: number
  readonly fd: number
  readonly destroyed: boolean
  /** A write is under way; it begins no other. */
  _writing: boolean
  /** What is being written, or could not be. */
  _writingBuf: string | Buffer
  /** What comes after it, and how many bytes both are. */
  _bufs: (string | Buffer)[]
  _len: number
  _actualWrite(): void
  flushSync(): void
  listeners(event: 'error'): readonly ((error: Error) => void)[]
  off(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'drop' | 'drain', listener: () => void): unknown
}

/** What an output tells. */
export interface OutputListener {
  /** A line is lost: there was no room for it. */
  lost(): void
  /** All that waited has been taken. */
  drained(): void
}

/** Milliseconds until an output that has failed is tried again. */
const AGAIN_MS = 1000
/** Milliseconds that whoever must write at once waits for an output that takes nothing. */
const STUCK_MS = 1000
const LOOK_MS = 50

/** Where the logger writes to; undefined if it is none of pino's, or writes nowhere. */
export function destinationOf(log: FastifyBaseLogger): Destination | undefined {
  const found = (log as unknown as Record<symbol, Partial<Destination> | undefined>)[pino.symbols.streamSym]
  return typeof found?.write === 'function' ? (found as Destination) : undefined
}

/** Writes what waits, as far as it is taken: all of it, until the first error, or until nothing is taken any more. */
function writeNow(output: Buffering): void {
  const { fd, _bufs: waiting } = output
  const clock = new Int32Array(new SharedArrayBuffer(4))
  let stuckMs = 0
  for (let first = waiting[0]; first !== undefined; first = waiting[0]) {
    const bytes = Buffer.from(first as string)
    try {
      const taken = writeSync(fd, bytes)
      stuckMs = 0
      output._len -= taken
      if (taken < bytes.length) waiting[0] = bytes.subarray(taken)
      else waiting.shift()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || stuckMs >= STUCK_MS) return
      stuckMs += LOOK_MS
      Atomics.wait(clock, 0, 0, LOOK_MS)
    }
  }
}

/**
 * Keeps the gateway going whatever becomes of its output. pino writes in the background, so that a blocked output stops
 * no request; but it would keep all lines until the memory is used up, make an error such as a full disk one that
 * nobody caught, and when it must write at once (`fatal`, the end of the process) try for ever. Here what waits is
 * bounded, an output that has failed is tried again every second, and who must write at once gives up.
 * @param bytes that may wait
 * @returns whether there was something to take over: not where the user has a destination of their own
 */
export function takeOver(
  destination: Destination | undefined,
  bytes: number,
  { lost, drained }: OutputListener,
): boolean {
  const output = destination as Buffering | undefined
  if (output?.maxLength !== 0 || typeof output._actualWrite !== 'function') return false
  output.maxLength = bytes
  output.on('drop', lost)
  output.on('drain', drained)
  for (const listener of output.listeners('error')) {
    if (listener.name === 'filterBrokenPipe') output.off('error', listener)
  }
  let pausing = false
  output.on('error', (error) => {
    // A file that cannot be opened.
    if (output.fd < 0) throw error
    if (pausing || output.destroyed) return
    // It keeps what it could not write, and would try again with every line.
    pausing = output._writing = true
    // The logger may outlive the server: there is nothing to end.
    setTimeout(() => {
      pausing = output._writing = false
      if (!output.destroyed) output._actualWrite()
    }, AGAIN_MS).unref()
  })
  output.flushSync = () => {
    if (output.fd < 0 || output.destroyed) return
    if (output._writingBuf.length > 0 && (pausing || !output._writing)) {
      output._bufs.unshift(output._writingBuf)
      output._writingBuf = ''
    }
    writeNow(output)
  }
  return true
}
