import type { Format } from './page.ts'

interface Choice {
  readonly value: string
  readonly parameters: ReadonlyMap<string, string>
  readonly quality: number
}

/** The entries of an Accept or Accept-Encoding header (RFC 9110, 12.4.2). What is malformed counts as refused. */
function choices(header: string): Choice[] {
  return header.split(',').map((entry) => {
    const [value = '', ...rest] = entry.split(';').map((part) => part.trim().toLowerCase())
    const parameters = new Map(
      rest.map((part): [string, string] => {
        const [name = '', text = ''] = part.split('=').map((side) => side.trim())
        return [name, text.replace(/^"(.*)"$/, '$1')]
      }),
    )
    const quality = Number(parameters.get('q') ?? 1)
    return { value, parameters, quality: quality >= 0 && quality <= 1 ? quality : 0 }
  })
}

const OPENMETRICS_VERSIONS = new Set([undefined, '1.0.0', '0.0.1'])
const TEXT_VERSIONS = new Set([undefined, '0.0.4'])

/** OpenMetrics for who names it and does not like the text format better; the text format for all others. */
export function formatFor(accept: string | undefined): Format {
  let openMetrics = 0
  let text = 0
  for (const { value, parameters, quality } of choices(accept ?? '')) {
    const version = parameters.get('version')
    if (value === 'application/openmetrics-text' && OPENMETRICS_VERSIONS.has(version))
      openMetrics = Math.max(openMetrics, quality)
    else if (value === 'text/plain' && TEXT_VERSIONS.has(version)) text = Math.max(text, quality)
  }
  return openMetrics > 0 && openMetrics >= text ? 'openmetrics' : 'text'
}

export function takesGzip(acceptEncoding: string | undefined): boolean {
  const all = choices(acceptEncoding ?? '')
  const named = (name: string) => all.find(({ value }) => value === name)
  return ((named('gzip') ?? named('x-gzip') ?? named('*'))?.quality ?? 0) > 0
}
