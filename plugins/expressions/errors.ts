/** An expression that cannot be compiled: what is wrong, and where. */
export class ExpressionError extends Error {
  /** Counted from 1; undefined where the fault is in no one place. */
  readonly line: number | undefined
  readonly column: number | undefined

  constructor(message: string, at?: { readonly line: number; readonly column: number }) {
    super(at === undefined ? message : `${message} (line ${at.line}, column ${at.column})`)
    this.name = 'ExpressionError'
    this.line = at?.line
    this.column = at?.column
  }
}

/** An expression that has no value for this request: a key is missing, a type is wrong. */
export class EvaluationError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'EvaluationError'
  }
}
