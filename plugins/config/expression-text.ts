const TEXTS = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g

/** Not `request.headers.identity`; but a variable may have a dot before it (`.identity`), as CEL has it. */
const IDENTITY = /(?<![\w)\]}"]\s*\.\s*)\bidentity\b/

/** Whether an expression looks at who calls. What stands in its texts does not count. */
export function asksWho(expression: string): boolean {
  return IDENTITY.test(expression.replace(TEXTS, '""'))
}
