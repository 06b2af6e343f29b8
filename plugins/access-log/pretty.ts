/** An access line for people. */
import type { AccessLine, AttemptEntry } from './line.ts'

/** Puts a text in a colour, by its SGR code. */
export type Paint = (code: number, text: string) => string

export const plain: Paint = (_code, text) => text
export const coloured: Paint = (code, text) => `\x1b[${code}m${text}\x1b[0m`

const RED = 31
const GREEN = 32
const YELLOW = 33
const MAGENTA = 35
const CYAN = 36
const DIM = 2

// C0, DEL and C1; line and paragraph separators; what turns the direction of writing.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

/** Whatever a client sent, it stays on its line and moves no cursor. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    const code = character.charCodeAt(0)
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`
  })
}

function colourOf(status: number | undefined): number {
  if (status === undefined) return MAGENTA
  if (status >= 500) return RED
  if (status >= 400) return YELLOW
  return status >= 300 ? CYAN : GREEN
}

function duration(milliseconds: number): string {
  return milliseconds < 10_000 ? `${milliseconds.toFixed(1)}ms` : `${(milliseconds / 1000).toFixed(1)}s`
}

function bare(origin: string): string {
  return origin.replace(/^https?:\/\//, '')
}

function came({ outcome, status }: AttemptEntry): string {
  if (status === undefined) return outcome
  return outcome === 'answered' ? String(status) : `${status} ${outcome}`
}

function attemptLine(entry: AttemptEntry, paint: Paint): string {
  const { startMs, waitMs, tookMs, kind, target, decision } = entry
  const waited = waitMs === undefined || waitMs < 1 ? '' : `  waited ${duration(waitMs)}`
  const took = (tookMs === undefined ? 'open' : duration(tookMs)).padStart(9)
  const text = `${`+${duration(startMs)}`.padStart(24)} ${took}  ${kind.padEnd(5)}  ${printable(bare(target))}  ${came(entry)}, ${decision ?? 'open'}${waited}`
  return `\n${paint(DIM, text)}`
}

/**
 * One line: time, status, method, duration, path, where it went, and what was not as usual; below a slow one, a line
 * for each attempt.
 * @param time as it is to be shown
 */
export function prettyLine(line: AccessLine, time: string, requestId: string, paint: Paint): string {
  const { status, method, totalMs, url, upstream, target, tried, identity, headers } = line
  const took = duration(totalMs).padStart(9)
  const notes = [
    target === undefined ? '' : paint(DIM, printable(`${upstream} ${bare(target)}`)),
    tried === undefined || tried.length < 2
      ? ''
      : paint(YELLOW, `${tried.length} attempts: ${tried.map(came).join(', ')}`),
    line.broken ? paint(RED, 'target broke off') : line.aborted ? paint(MAGENTA, 'client left') : '',
    line.error === undefined
      ? ''
      : paint(RED, printable(`${line.error}${line.cause === undefined ? '' : `: ${line.cause}`}`)),
    identity === undefined ? '' : printable(`${identity.kind} ${identity.name}`),
    ...Object.entries(headers ?? {}).map(([name, value]) => printable(`${name}: ${value}`)),
    status !== undefined && status < 400 && !line.slow ? '' : paint(DIM, printable(requestId)),
  ].filter((note) => note !== '')
  const head = [
    paint(DIM, time),
    paint(colourOf(status), String(status ?? '---').padStart(3)),
    printable(method).padEnd(7),
    line.slow ? paint(YELLOW, took) : took,
    printable(url).padEnd(32),
  ]
  const text = [...head, ...notes].join('  ').trimEnd()
  return line.slow && tried !== undefined
    ? text + tried.map((entry) => attemptLine(entry, paint)).join('')
    : text
}
