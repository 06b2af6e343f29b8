import type { Hear } from '../availability/children.ts'

/** Lines that Node writes because of --inspect. */
const ofTheInspector = /^(Debugger (listening on|attached|ending on)|For help, see:|Waiting for the debugger)/
const accessLine = '"msg":"request"}'
const errorLevel = 50
const keptLines = 50

/** What the gateway says: counts what is usual, and keeps what should not be there. */
export class Output {
  requests = 0
  /** Events and notices by their message. */
  readonly notices = new Map<string, number>()
  /** Warnings of Node's, errors, and whatever is no line of the log at all. */
  readonly problems: string[] = []
  problemCount = 0
  readonly #rest = { stdout: '', stderr: '' }

  readonly hear: Hear = (stream, text) => {
    const lines = (this.#rest[stream] + text).split('\n')
    this.#rest[stream] = lines.pop() ?? ''
    for (const line of lines) this.line(line)
  }

  line(line: string): void {
    if (line.endsWith(accessLine)) {
      this.requests++
      return
    }
    if (line === '' || ofTheInspector.test(line)) return
    const entry = parsed(line)
    if (entry === undefined || entry.level >= errorLevel) {
      this.problemCount++
      if (this.problems.length < keptLines) this.problems.push(line.slice(0, 2000))
      return
    }
    const name = entry.event ?? entry.msg.replace(/\d+/g, 'N')
    this.notices.set(name, (this.notices.get(name) ?? 0) + 1)
  }
}

function parsed(line: string): { level: number; msg: string; event?: string } | undefined {
  try {
    const entry = JSON.parse(line)
    return typeof entry?.level === 'number' && typeof entry.msg === 'string' ? entry : undefined
  } catch {
    return undefined
  }
}
