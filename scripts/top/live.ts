/** The live view: asks, listens for keys, draws. */
import type { ReadStream } from 'node:tty'
import { chosen, type Look, type Row, rowsOf } from './look.ts'
import { FIRST_VIEW, keysOf, pressed, type State, type View } from './state.ts'
import { type Output, Terminal } from './terminal.ts'
import { frame, room } from './view.ts'

/** At most so much of the time is the gateway busy with our questions. */
const ASKING_SHARE = 0.2

/** By then a process that was to be stopped is, in milliseconds. */
const WOKEN_MS = 200

export interface LiveOptions {
  readonly address: string
  readonly everyMs: number
  readonly view: Partial<View>
  readonly colours: boolean
  readonly input: ReadStream | undefined
  readonly output: Output
  ask(withTargets: boolean, stopped: AbortSignal): Promise<Look>
  /** Leaves the terminal to the shell until it wakes this process up again. */
  suspend(): void
  quit(code: number): void
}

/** Runs until it is ended. */
export class Live {
  readonly #options: LiveOptions
  readonly #terminal: Terminal
  readonly #stopped = new AbortController()
  #state: State
  #rows: readonly Row[] = []
  /** Of which look and view the rows are. */
  #rowsOf: { look: Look | undefined; view: View } | undefined
  #timer: NodeJS.Timeout | undefined
  #asking = false

  constructor(options: LiveOptions) {
    this.#options = options
    this.#terminal = new Terminal(options.input, options.output, options.colours)
    this.#state = {
      address: options.address,
      view: { ...FIRST_VIEW, ...options.view },
      look: undefined,
      before: undefined,
      unreachable: undefined,
    }
  }

  start(): void {
    const { input, output } = this.#options
    this.#terminal.enter()
    output.on('resize', () => this.#again())
    output.on('drain', () => this.#draw())
    input?.setEncoding('utf8').on('data', (text: string) => {
      for (const key of keysOf(text)) this.#press(key)
    })
    this.#draw()
    void this.#ask()
  }

  /** Restores the terminal. May be called at any time, and more than once. */
  end(): void {
    this.#stopped.abort()
    clearTimeout(this.#timer)
    this.#terminal.leave()
  }

  /** After the shell has given the terminal back. */
  resume(): void {
    if (this.#stopped.signal.aborted) return
    this.#terminal.enter()
    this.#again()
  }

  #again(): void {
    this.#terminal.forget()
    this.#draw()
  }

  #press(key: string): void {
    // The terminal is raw: what would be a signal is a key.
    if (key === 'interrupt') this.#options.quit(130)
    else if (key === 'suspend') {
      this.#terminal.leave()
      this.#options.suspend()
      // Where no shell could wake it up again it was not stopped at all.
      setTimeout(() => this.resume(), WOKEN_MS)
    } else if (key === 'q' && !this.#state.view.typing) this.#options.quit(0)
    else this.#change(pressed(this.#state.view, key, this.#chosen().length, room(this.#terminal.size)))
  }

  #change(view: View): void {
    const { paused, pane } = this.#state.view
    this.#state = { ...this.#state, view }
    this.#draw()
    // What is wanted now is not waited for.
    if ((paused && !view.paused) || (view.pane !== pane && view.pane === 'targets')) void this.#ask()
  }

  async #ask(): Promise<void> {
    if (this.#asking || this.#state.view.paused) return
    this.#asking = true
    clearTimeout(this.#timer)
    const beganAt = performance.now()
    const wanted = this.#state.view.pane === 'targets'
    try {
      const look = await this.#options.ask(wanted, this.#stopped.signal)
      this.#state = { ...this.#state, look, before: this.#state.look, unreachable: undefined }
    } catch (error) {
      const since = this.#state.unreachable?.since ?? new Date()
      this.#state = { ...this.#state, unreachable: { since, why: (error as Error).message } }
    }
    this.#asking = false
    if (this.#stopped.signal.aborted) return
    this.#draw()
    const took = performance.now() - beganAt
    const missing = this.#state.view.pane === 'targets' && !wanted && this.#state.unreachable === undefined
    const pause = missing ? 0 : Math.max(this.#options.everyMs - took, took / ASKING_SHARE - took)
    this.#timer = setTimeout(() => void this.#ask(), pause)
  }

  #chosen(): readonly Row[] {
    const { look, before, view } = this.#state
    const of = this.#rowsOf
    if (
      of?.look !== look ||
      of?.view.pane !== view.pane ||
      of.view.sort !== view.sort ||
      of.view.filter !== view.filter
    ) {
      this.#rows = look === undefined ? [] : chosen(rowsOf(look, before, view.pane), view.sort, view.filter)
      this.#rowsOf = { look, view }
    }
    return this.#rows
  }

  #draw(): void {
    this.#terminal.draw(frame(this.#state, this.#chosen(), this.#terminal.size))
  }
}
