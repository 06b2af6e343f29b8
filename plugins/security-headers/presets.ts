/** What is said if nothing else is: after OWASP's REST Security and HTTP Headers cheat sheets. */

export interface Values {
  readonly noSniff: boolean
  readonly referrerPolicy: string | false
  readonly contentSecurityPolicy: string | false
  readonly frameOptions: string | false
  readonly permissionsPolicy: string | false
  readonly openerPolicy: string | false
  readonly embedderPolicy: string | false
  readonly resourcePolicy: string | false
}

export const PRESETS: Readonly<Record<'api' | 'web', Values>> = {
  api: {
    noSniff: true,
    referrerPolicy: 'no-referrer',
    contentSecurityPolicy: "default-src 'none'; frame-ancestors 'none'",
    frameOptions: 'DENY',
    permissionsPolicy: false,
    openerPolicy: false,
    embedderPolicy: false,
    resourcePolicy: 'same-origin',
  },
  web: {
    noSniff: true,
    referrerPolicy: 'strict-origin-when-cross-origin',
    contentSecurityPolicy: "base-uri 'self'; object-src 'none'; frame-ancestors 'self'",
    frameOptions: 'SAMEORIGIN',
    permissionsPolicy: 'camera=(), geolocation=(), microphone=()',
    openerPolicy: 'same-origin',
    embedderPolicy: false,
    resourcePolicy: 'same-site',
  },
}
