/** One thing wrong with a config: where, and what to do about it. */
export interface Problem {
  /** `routes[0].upstream` */
  readonly path: string
  /** What is wrong and its remedy. */
  readonly message: string
}

/** Everything wrong with a config, at once. */
export class ConfigError extends Error {
  readonly code = 'GTW_CONFIG'
  readonly problems: readonly Problem[]

  constructor(file: string, found: readonly Problem[]) {
    // Checks find what they find in an order of their own: by path, what belongs together stands together.
    const problems = found.toSorted((a, b) => a.path.localeCompare(b.path, 'en', { numeric: true }))
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
    const lines = problems.map(({ path, message }) =>
      path === '' ? `  ${message}` : `  ${path}: ${message}`,
    )
    super([`${file} has ${count}`, ...lines].join('\n'))
    this.name = 'ConfigError'
    this.problems = problems
    // The reader's own file is at fault and not a line of ours: a stack would only bury the message.
    this.stack = this.message
  }
}
