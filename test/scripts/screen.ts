import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { until } from '../support/until.ts'

/** What a program does to a terminal, as far as `npm run top` goes. Fails on what it does not know. */
export class Screen {
  /** The main screen is kept while the alternate one is shown, as xterm does. */
  alternate = false
  cursor = true
  #lines: string[] = []
  #row = 0
  #column = 0
  main = ''

  get lines(): readonly string[] {
    return Array.from(this.#lines, (line = '') => line.trimEnd())
  }

  get text(): string {
    return this.lines.join('\n')
  }

  /** A sequence may come in two pieces. */
  #rest = ''

  take(output: string): void {
    const text = this.#rest + output
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what terminals are told
    const [half = ''] = /\x1b(?:\[[0-?]*[ -/]*)?$/.exec(text) ?? []
    this.#rest = half
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what terminals are told
    const pieces = text.slice(0, text.length - half.length).match(/\x1b\[[0-?]*[ -/]*[@-~]|[^\x1b]+|\x1b/g)
    for (const piece of pieces ?? []) {
      if (piece.startsWith('\x1b')) this.#obey(piece)
      else if (this.alternate) this.#write(piece)
      else this.main += piece
    }
  }

  #obey(sequence: string): void {
    const [, numbers = '', command] =
      /^.\[([?\d;]*)(.)$/.exec(sequence) ?? assert.fail(JSON.stringify(sequence))
    switch (numbers + command) {
      case '?1049h':
      case '?1049l':
        this.alternate = command === 'h'
        this.#lines = []
        return
      case '?25h':
      case '?25l':
        this.cursor = command === 'h'
        return
      case '2J':
        this.#lines = []
        return
      case 'K':
        this.#lines[this.#row] = (this.#lines[this.#row] ?? '').slice(0, this.#column)
        return
    }
    if (command === 'm') return
    assert.equal(command, 'H', JSON.stringify(sequence))
    const [row = 1, column = 1] = numbers.split(';').map(Number)
    this.#row = row - 1
    this.#column = column - 1
  }

  #write(text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may come through
    assert.doesNotMatch(text, /[\x00-\x1f\x7f-\x9f]/)
    const before = (this.#lines[this.#row] ?? '').padEnd(this.#column)
    this.#lines[this.#row] = before.slice(0, this.#column) + text + before.slice(this.#column + text.length)
    this.#column += text.length
  }
}

/**
 * Runs a command in a pseudo terminal of 80 x 24 and then `stty -a`, so that it is seen how the terminal was left. The
 * command's process id is printed before it starts.
 */
export async function inTerminal(
  t: Pick<TestContext, 'after'>,
  command: string,
  env: NodeJS.ProcessEnv = {},
) {
  const script = `stty cols 80 rows 24; sh -c 'echo PID $$; exec ${command}'; echo ENDED $?; stty -a`
  const child = spawn('script', ['-qefc', script, '/dev/null'], {
    env: { ...process.env, TERM: 'xterm', SHELL: '/bin/sh', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const screen = new Screen()
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    screen.take(text)
  })
  const ended = once(child, 'close')
  const shows = (text: string | RegExp): Promise<void> =>
    until(`${text} on\n${screen.text}\n${screen.main}`, () =>
      typeof text === 'string' ? screen.text.includes(text) : text.test(screen.text),
    )
  return {
    screen,
    child,
    output: () => output,
    shows,
    type: (text: string) => child.stdin.write(text),
    pid: () => Number(/PID (\d+)/.exec(screen.main)?.[1]),
    /** Waits for the end, and fails unless the terminal is as it was. Returns the exit code and what was printed. */
    async restored(): Promise<{ code: number; printed: string }> {
      await until(`the end of\n${output.slice(-500)}`, () => /ENDED \d+[\s\S]*icanon/.test(screen.main))
      assert.equal(screen.alternate, false)
      assert.equal(screen.cursor, true)
      assert.match(screen.main, /\becho\b/)
      assert.match(screen.main, /(?<!-)\bicanon\b/)
      assert.doesNotMatch(screen.main, /-icanon|-echo\b/)
      child.stdin.end()
      await ended
      const [, printed = '', code] = /PID \d+\r\n([\s\S]*)ENDED (\d+)/.exec(screen.main) ?? []
      return { code: Number(code), printed }
    },
  }
}
