/** Values that JSON Schema cannot describe: why one is refused, or undefined. */

/** Without saying what it was: an address may hold a secret. */
export function refuseAddress(value: unknown): string | undefined {
  if (typeof value !== 'string' || !URL.canParse(value)) return 'is no address'
  return /^https?:$/.test(new URL(value).protocol) ? undefined : 'is no http or https address'
}

/** An address that something is posted to: with a password in it `fetch` refuses it, each time. */
export function refuseReceiver(value: unknown): string | undefined {
  const why = refuseAddress(value)
  if (why !== undefined) return why
  const { username, password } = new URL(value as string)
  return username === '' && password === ''
    ? undefined
    : 'has a user name or a password in it; send them in a header: { url, headers: { authorization: "Basic ..." } }'
}

/** One that the path of an API is appended to. */
export function refuseBase(value: unknown): string | undefined {
  const why = refuseReceiver(value)
  if (why !== undefined) return why
  return /[?#]/.test(value as string)
    ? 'has a query or a fragment, which the path of the API would become a part of; take it out'
    : undefined
}

/** Without saying what it was, too. */
export function refuseHeader(value: unknown): string | undefined {
  return typeof value === 'string' && /^[\t -~]*$/.test(value)
    ? undefined
    : 'is not of printable ASCII characters'
}

export function refuseTrue(value: unknown): string | undefined {
  return value === true ? undefined : `is ${JSON.stringify(value)}`
}

export function refuseFunction(value: unknown): string | undefined {
  return typeof value === 'function' ? undefined : 'is no function'
}

/** Half open: a share of 0 or 1 leaves either no objective or no budget. */
export function refuseObjective(value: unknown): string | undefined {
  return typeof value === 'number' && value > 0 && value < 1 ? undefined : `is ${JSON.stringify(value)}`
}

/** A number, or a share in per cent. */
export function refuseCount(value: unknown): string | undefined {
  if (typeof value === 'number') {
    return Number.isInteger(value) && value > 0 ? undefined : `is ${value}, which is no number of targets`
  }
  const percent = percentOf(value)
  return percent !== undefined && percent > 0 && percent <= 1 ? undefined : `is ${JSON.stringify(value)}`
}

/** `'50%'` is 0.5; undefined if it is no such text. */
export function percentOf(value: unknown): number | undefined {
  const [, digits] = typeof value === 'string' ? (/^(\d+(?:\.\d+)?)%$/.exec(value) ?? []) : []
  return digits === undefined ? undefined : Number(digits) / 100
}
