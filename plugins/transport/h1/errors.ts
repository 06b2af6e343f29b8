/** What ends a request; the codes are undici's, so that whoever reads them need not know whose pool it was. */
export class H1Error extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** The target does not speak HTTP/1.1 as it should. Named as undici's, by which callers tell it. */
export class H1ParseError extends H1Error {
  override readonly name = 'HTTPParserError'
}

export function invalidArgument(message: string): H1Error {
  return new H1Error('UND_ERR_INVALID_ARG', message)
}

/** @param what of a response is wrong: `HPE_INVALID_` and this is the code */
export function malformed(what: string, message: string): H1ParseError {
  return new H1ParseError(`HPE_INVALID_${what}`, `Response does not match the HTTP/1.1 protocol (${message})`)
}

export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new H1Error('UND_ERR', String(thrown))
}
