/** Prometheus' text format 0.0.4, or OpenMetrics 1.0. */
export type Format = 'text' | 'openmetrics'

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
}

export type FamilyType = 'counter' | 'gauge' | 'histogram' | 'summary'

/** Metrics of one name. */
export interface Family {
  /** With the prefix, and of a counter with `_total`. */
  readonly name: string
  readonly help: string
  readonly type: FamilyType
  /** Names of the labels of a series, besides the `le` of buckets. */
  readonly labels: readonly string[]
  /** Writes all series. Returns what yields between them where there may be many, so that others get their turn. */
  write(page: Page): Iterable<unknown> | undefined
}

/** One request of a bucket. */
export interface Exemplar {
  readonly label: 'trace_id' | 'request_id'
  readonly id: string
  readonly value: number
  /** Seconds since 1970. */
  readonly at: number
}

/** OpenMetrics allows so many characters for names and values of an exemplar's labels. */
const LONGEST_EXEMPLAR = 128

const SPECIAL = /[\\"\n]/
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' }

function escaped(value: string): string {
  return SPECIAL.test(value) ? value.replace(/[\\"\n]/g, (one) => ESCAPES[one] as string) : value
}

/** `a="1",b="2"` */
export function labelText(names: readonly string[], values: readonly string[]): string {
  let text = ''
  for (let i = 0; i < names.length; i++) {
    text += `${i === 0 ? '' : ','}${names[i]}="${escaped(values[i] as string)}"`
  }
  return text
}

function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  if (value === Number.NEGATIVE_INFINITY) return '-Inf'
  return String(value)
}

/** The text so far. It is taken away piece by piece, so that there is never much of it. */
export class Page {
  readonly #openMetrics: boolean
  #text = ''
  #name = ''

  constructor(format: Format) {
    this.#openMetrics = format === 'openmetrics'
  }

  get length(): number {
    return this.#text.length
  }

  take(): string {
    const text = this.#text
    this.#text = ''
    return text
  }

  begin({ name, help, type }: Pick<Family, 'name' | 'help' | 'type'>): void {
    this.#name = name
    const family = this.#openMetrics && type === 'counter' ? name.replace(/_total$/, '') : name
    const text = help.replace(/[\\\n]/g, (one) => ESCAPES[one] as string)
    // OpenMetrics escapes quotes here too.
    this.#text += `# HELP ${family} ${this.#openMetrics ? text.replaceAll('"', '\\"') : text}\n# TYPE ${family} ${type}\n`
  }

  /** @param labels as `labelText` makes them */
  sample(labels: string, value: number, suffix = ''): void {
    this.#text += `${this.#name}${suffix}${labels === '' ? '' : `{${labels}}`} ${number(value)}\n`
  }

  /**
   * @param bounds as labels have them
   * @param counts of each bucket by itself, and last of what is above all bounds
   */
  histogram(
    labels: string,
    bounds: readonly string[],
    counts: Float64Array,
    sumSeconds: number,
    exemplarOf?: (bucket: number) => Exemplar | undefined,
  ): void {
    const before = labels === '' ? '' : `${labels},`
    let total = 0
    for (let i = 0; i < counts.length; i++) {
      total += counts[i] as number
      const le = i < bounds.length ? (bounds[i] as string) : '+Inf'
      const exemplar = this.#openMetrics ? exemplarText(exemplarOf?.(i)) : ''
      this.#text += `${this.#name}_bucket{${before}le="${le}"} ${total}${exemplar}\n`
    }
    this.sample(labels, sumSeconds, '_sum')
    this.sample(labels, total, '_count')
  }

  end(): void {
    if (this.#openMetrics) this.#text += '# EOF\n'
  }
}

function exemplarText(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return ''
  const { label, id, value, at } = exemplar
  if (label.length + id.length > LONGEST_EXEMPLAR) return ''
  return ` # {${label}="${escaped(id)}"} ${number(value)} ${at.toFixed(3)}`
}
