/** From the config to the headers of an answer. */
import { PRESETS, type Values } from './presets.ts'

export interface Hsts {
  readonly enabled: boolean
  /** Milliseconds. */
  readonly maxAge: number
  readonly includeSubDomains: boolean
  readonly preload: boolean
}

export type SecurityOptions = { readonly [K in keyof Values]?: Values[K] | undefined } & {
  readonly preset: 'api' | 'web'
  readonly hsts?: Hsts | undefined
}

const YEAR: Hsts = { enabled: true, maxAge: 365 * 86_400_000, includeSubDomains: false, preload: false }

const NAMES: Readonly<Record<Exclude<keyof Values, 'noSniff'>, string>> = {
  referrerPolicy: 'referrer-policy',
  contentSecurityPolicy: 'content-security-policy',
  frameOptions: 'x-frame-options',
  permissionsPolicy: 'permissions-policy',
  openerPolicy: 'cross-origin-opener-policy',
  embedderPolicy: 'cross-origin-embedder-policy',
  resourcePolicy: 'cross-origin-resource-policy',
}

export type Header = readonly [name: string, value: string]

/** What is said over TLS and without. */
export function securityHeaders(options: SecurityOptions): {
  readonly plain: Header[]
  readonly tls: Header[]
} {
  const preset = PRESETS[options.preset]
  const plain: Header[] = []
  if (options.noSniff ?? preset.noSniff) plain.push(['x-content-type-options', 'nosniff'])
  for (const key of Object.keys(NAMES) as (keyof typeof NAMES)[]) {
    const value = options[key] ?? preset[key]
    if (value !== false) plain.push([NAMES[key], value])
  }
  const { enabled, maxAge, includeSubDomains, preload } = options.hsts ?? YEAR
  if (!enabled) return { plain, tls: plain }
  const parts = [`max-age=${Math.floor(maxAge / 1000)}`]
  if (includeSubDomains) parts.push('includeSubDomains')
  if (preload) parts.push('preload')
  return { plain, tls: [...plain, ['strict-transport-security', parts.join('; ')]] }
}
