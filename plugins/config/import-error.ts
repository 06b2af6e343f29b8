import { basename, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { messageOf } from './messages.ts'

/** A file as its user knows it: from the working directory, or its bare name where it is elsewhere. */
export function knownAs(path: string): string {
  const known = relative(process.cwd(), path)
  return known.startsWith('..') ? basename(path) : known
}

/** `file.ts:2:7`, where in a file of the user's it went wrong. Undefined where the stack does not say. */
function placeOf(thrown: unknown): string | undefined {
  const stack = thrown instanceof Error && typeof thrown.stack === 'string' ? thrown.stack : ''
  const [head = '', ...lines] = stack.split('\n')
  // What Node cannot read, it shows above the message: the file and the line, the text, and marks below it.
  const shown = /^(\S.*):(\d+)$/.exec(head)
  const marks = lines.find((line) => /^\s*\^+$/.test(line))
  if (shown !== null && marks !== undefined) return at(shown[1] as string, shown[2], marks.indexOf('^') + 1)
  for (const line of lines) {
    const frame = /^\s+at (?:.*\()?((?:file:\/\/|\/|[A-Za-z]:\\)[^()]*):(\d+):(\d+)\)?$/.exec(line)
    const place = frame === null ? undefined : at(frame[1] as string, frame[2], frame[3])
    if (place !== undefined) return place
  }
  return undefined
}

function at(file: string, line: unknown, column: unknown): string | undefined {
  const path = file.startsWith('file://') ? fileURLToPath(file) : file
  return path.startsWith(import.meta.dirname) ? undefined : `${knownAs(path)}:${line}:${column}`
}

/** Why a config cannot be loaded, where, and what to write instead. */
export function importProblem(thrown: unknown): string {
  const place = placeOf(thrown)
  const why = `cannot be loaded: ${messageOf(thrown)}${place === undefined ? '' : ` (${place})`}`
  return (thrown as { code?: unknown } | null | undefined)?.code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX'
    ? `${why}; types are only taken out, so write what is left without them in JavaScript`
    : why
}
