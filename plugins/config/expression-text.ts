/**
 * The texts and comments of CEL (its definition, "Lexis"), so that nothing in them counts: raw ones, in which a backslash
 * is a character like any other, those in three quotes, which go over lines, and plain ones.
 */
const TEXTS =
  /\/\/.*|(?<!\w)(?:r|rb|br)(?:"""[\s\S]*?"""|'''[\s\S]*?'''|"[^"]*"|'[^']*')|"""(?:[^\\]|\\[\s\S])*?"""|'''(?:[^\\]|\\[\s\S])*?'''|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/gi

/** Not `request.headers.identity`; but a variable may have a dot before it (`.identity`), as CEL has it. */
const IDENTITY = /(?<![\w)\]}"]\s*\.\s*)\bidentity\b/

/** Whether an expression looks at who calls. What stands in its texts does not count. */
export function asksWho(expression: string): boolean {
  return IDENTITY.test(expression.replace(TEXTS, (text) => (text.startsWith('//') ? ' ' : '""')))
}
