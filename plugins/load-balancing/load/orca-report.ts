/**
 * What a target says of its load, from the response header `endpoint-load-metrics`: ORCA (Open Request Cost
 * Aggregation), the fields of xds.data.orca.v3.OrcaLoadReport as Envoy reads them.
 */
export interface LoadReport {
  /** 1 is what the application can do; may be above. */
  readonly applicationUtilization: number
  /** 1 is all of the CPU. */
  readonly cpuUtilization: number
  /** Requests a second. */
  readonly rps: number
  /** Errors a second. */
  readonly eps: number
  /** Requests in flight at the target (a metric named `rif`); NaN where it says nothing. */
  readonly rif: number
  /** Milliseconds (a metric named `latencyMs`, `latency_ms` or `latency`); NaN where it says nothing. */
  readonly latencyMs: number
}

type Fields = { -readonly [K in keyof LoadReport]: LoadReport[K] }

const NAMES: Readonly<Record<string, keyof LoadReport>> = {
  application_utilization: 'applicationUtilization',
  cpu_utilization: 'cpuUtilization',
  rps_fractional: 'rps',
  rps: 'rps',
  eps: 'eps',
  rif: 'rif',
  latencyMs: 'latencyMs',
  latency_ms: 'latencyMs',
  latency: 'latencyMs',
}

/** A report is some 100 characters; what is far longer is none. */
const LONGEST = 4096

function nameOf(text: string): keyof LoadReport | undefined {
  const name = text.startsWith('named_metrics.') ? text.slice('named_metrics.'.length) : text
  // JSON names of protobuf fields are in camel case.
  const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  if (Object.hasOwn(NAMES, name)) return NAMES[name]
  return Object.hasOwn(NAMES, snake) ? NAMES[snake] : undefined
}

function take(fields: Fields, name: string, value: number): boolean {
  const field = nameOf(name)
  if (field === undefined || !Number.isFinite(value) || value < 0) return false
  fields[field] = value
  return true
}

function fromText(text: string, fields: Fields): boolean {
  let any = false
  for (const pair of text.split(',')) {
    const at = pair.indexOf('=')
    if (at === -1) continue
    const value = pair.slice(at + 1).trim()
    if (value !== '' && take(fields, pair.slice(0, at).trim(), Number(value))) any = true
  }
  return any
}

function fromJson(text: string, fields: Fields): boolean {
  let read: unknown
  try {
    read = JSON.parse(text)
  } catch {
    return false
  }
  if (read === null || typeof read !== 'object') return false
  const { named_metrics, namedMetrics, ...plain } = read as Record<string, unknown>
  let any = false
  for (const part of [plain, named_metrics, namedMetrics]) {
    for (const [name, value] of Object.entries(part ?? {})) {
      // The JSON of protobuf writes a uint64 as text.
      if (value !== '' && take(fields, name, typeof value === 'string' ? Number(value) : (value as number))) {
        any = true
      }
    }
  }
  return any
}

/**
 * Reads `TEXT cpu_utilization=0.3,rps_fractional=10`, the same without `TEXT`, and `JSON {"cpu_utilization": 0.3}`.
 * Undefined where nothing in it is known. The binary forms (`BIN`, `endpoint-load-metrics-bin`) are not read.
 */
export function readLoadReport(header: string): LoadReport | undefined {
  if (header.length > LONGEST) return undefined
  const fields: Fields = {
    applicationUtilization: 0,
    cpuUtilization: 0,
    rps: 0,
    eps: 0,
    rif: Number.NaN,
    latencyMs: Number.NaN,
  }
  const text = header.trim()
  const any = text.startsWith('JSON ')
    ? fromJson(text.slice(5), fields)
    : fromText(text.startsWith('TEXT ') ? text.slice(5) : text, fields)
  return any ? fields : undefined
}
