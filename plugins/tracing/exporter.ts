/** What came of a batch that was sent. */
export type Sent =
  | { readonly taken: true /** Spans that were not wanted. */; readonly rejected: number }
  | {
      readonly taken: false
      /** It may be wanted later. */
      readonly again: boolean
      /** Milliseconds, if the collector said so. */
      readonly afterMs: number | undefined
      readonly why: string
    }

export interface ExporterContext {
  /** Monotonic milliseconds. */
  now(): number
  /** Uniform in [0, 1). */
  random(): number
  /** Returns what calls it off. */
  schedule(milliseconds: number, run: () => void): () => void
  /** Resolves whatever happens. */
  send(spans: readonly string[]): Promise<Sent>
  /** The collector does not take spans any more, or does so again. Told once for each change. */
  changed(why: string | undefined): void
}

/** OpenTelemetry's default for a batch. */
const BATCH = 512
/** Milliseconds. The pause doubles up to this. */
const LONGEST_PAUSE = 30_000
const FIRST_PAUSE = 1000
/** Milliseconds after which a batch is given up: it might be what the collector stumbles over. */
const GIVE_UP_AFTER = 300_000

/**
 * Sends spans in batches, one batch at a time. Nobody waits for it: what does not fit into the queue pushes out the
 * oldest, which is counted.
 */
export class Exporter {
  /** Since the start. */
  exported = 0
  dropped = 0
  readonly #context: ExporterContext
  readonly #capacity: number
  readonly #interval: number
  readonly #queue: string[] = []
  /** Where the queue begins: shifting it one by one would be slow when it is full. */
  #head = 0
  #batch: readonly string[] = []
  #batchSince = 0
  #tries = 0
  #sending = false
  #failing = false
  #cancel: (() => void) | undefined
  #closing: (() => void) | undefined

  /**
   * @param capacity spans that may wait
   * @param interval milliseconds that a span waits for others
   */
  constructor(context: ExporterContext, capacity: number, interval: number) {
    this.#context = context
    this.#capacity = capacity
    this.#interval = interval
  }

  /** Spans that wait or are being sent. */
  get waiting(): number {
    return this.#queue.length - this.#head + this.#batch.length
  }

  add(span: string): void {
    if (this.#queue.length - this.#head >= this.#capacity) {
      this.#queue[this.#head++] = ''
      this.dropped++
      this.#compact()
    }
    this.#queue.push(span)
    if (this.#sending || this.#batch.length > 0) return
    if (this.#queue.length - this.#head >= BATCH) this.#next()
    else this.#cancel ??= this.#context.schedule(this.#interval, () => this.#next())
  }

  /** Sends what there is, tries nothing twice, and is done after `withinMs` at the latest; the rest is dropped. */
  close(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const callOff = this.#context.schedule(withinMs, () => this.#closing?.())
      this.#closing = () => {
        this.#closing = undefined
        callOff()
        this.#cancel?.()
        this.dropped += this.waiting
        this.#queue.length = 0
        this.#head = 0
        this.#batch = []
        resolve()
      }
      if (!this.#sending) this.#next()
    })
  }

  #next(): void {
    this.#cancel?.()
    this.#cancel = undefined
    if (this.#batch.length === 0) {
      this.#batch = this.#queue.slice(this.#head, this.#head + BATCH)
      this.#head += this.#batch.length
      this.#batchSince = this.#context.now()
      this.#tries = 0
      this.#compact()
    }
    if (this.#batch.length === 0) this.#closing?.()
    else void this.#send(this.#batch)
  }

  async #send(batch: readonly string[]): Promise<void> {
    this.#sending = true
    this.#tries++
    const sent = await this.#context.send(batch)
    this.#sending = false
    // Closed meanwhile: it is counted already.
    if (this.#batch !== batch) return
    this.#tell(sent.taken ? undefined : sent.why)
    if (sent.taken) {
      this.#batch = []
      this.exported += batch.length - sent.rejected
      this.dropped += sent.rejected
    } else if (this.#closing !== undefined) {
      this.#closing()
      return
    } else if (sent.again && this.#context.now() - this.#batchSince < GIVE_UP_AFTER) {
      // No sooner than without its word: it may say "at once", or name a time that has passed by our clock.
      const pause = Math.min(Math.max(sent.afterMs ?? 0, this.#pause()), GIVE_UP_AFTER)
      this.#cancel = this.#context.schedule(pause, () => this.#next())
      return
    } else {
      this.#batch = []
      this.dropped += batch.length
    }
    const left = this.#queue.length - this.#head
    if (left >= BATCH || this.#closing !== undefined) this.#next()
    else if (left > 0) this.#cancel = this.#context.schedule(this.#interval, () => this.#next())
  }

  /** Between the half and the whole of 1 s, 2 s, 4 s ... 30 s. */
  #pause(): number {
    const longest = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(this.#tries - 1, 10))
    return longest * (0.5 + this.#context.random() / 2)
  }

  #tell(why: string | undefined): void {
    if (this.#failing === (why !== undefined)) return
    this.#failing = !this.#failing
    this.#context.changed(why)
  }

  #compact(): void {
    if (this.#head < this.#capacity && this.#head < this.#queue.length) return
    this.#queue.splice(0, this.#head)
    this.#head = 0
  }
}
