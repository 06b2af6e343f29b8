/** The terminal: an alternate screen that is left whichever way the program ends. */
import { writeSync } from 'node:fs'
import type { ReadStream, WriteStream } from 'node:tty'
import type { Line, Style } from './table.ts'
import type { Size } from './view.ts'

const ENTER = '\x1b[?1049h\x1b[?25l\x1b[2J'
const LEAVE = '\x1b[0m\x1b[?25h\x1b[?1049l'
const CODES: Readonly<Record<Style, string>> = {
  bold: '\x1b[1m',
  dim: '\x1b[2m',
  red: '\x1b[31m',
  yellow: '\x1b[33m',
  reverse: '\x1b[7m',
}

/** A line as it is written; without colours its text alone. */
export function painted(line: Line, colours: boolean): string {
  return line
    .map(({ text, style }) => (colours && style !== undefined ? `${CODES[style]}${text}\x1b[0m` : text))
    .join('')
    .trimEnd()
}

/** A stream to a terminal, which knows its descriptor. */
export type Output = WriteStream & { readonly fd: number }

export class Terminal {
  readonly #in: ReadStream | undefined
  readonly #out: Output
  readonly #colours: boolean
  #entered = false
  /** What each line of the screen shows. */
  #shown: string[] = []

  /** @param input undefined where no keys can be read */
  constructor(input: ReadStream | undefined, output: Output, colours: boolean) {
    this.#in = input
    this.#out = output
    this.#colours = colours
  }

  get size(): Size {
    // A terminal may say that it has none.
    return { columns: this.#out.columns || 80, rows: this.#out.rows || 24 }
  }

  enter(): void {
    if (this.#entered) return
    this.#entered = true
    this.#shown = []
    this.#in?.setRawMode(true)
    this.#out.write(ENTER)
  }

  /** At once, since the process may be about to end. Does nothing a second time. */
  leave(): void {
    if (!this.#entered) return
    this.#entered = false
    try {
      this.#in?.setRawMode(false)
      writeSync(this.#out.fd, LEAVE)
    } catch {
      // It is gone, or takes nothing: there is nothing left to restore.
    }
  }

  /** What is on the screen is not known any more. */
  forget(): void {
    this.#shown = []
    if (this.#entered) this.#out.write('\x1b[2J')
  }

  /** Writes the lines that have changed: a slow connection has little to carry. */
  draw(lines: readonly Line[]): void {
    // Nothing is written on top of what was not taken yet.
    if (!this.#entered || this.#out.writableNeedDrain) return
    let text = ''
    for (const [i, line] of lines.entries()) {
      const now = painted(line, this.#colours)
      if (this.#shown[i] === now) continue
      this.#shown[i] = now
      text += `\x1b[${i + 1};1H${now}\x1b[K`
    }
    if (text !== '') this.#out.write(text)
  }
}
