import { shortage } from '../../upstreams/shortage.ts'
import type { CheckResult } from '../check-state.ts'

export interface Limits {
  /** Milliseconds for the whole check. */
  readonly timeout: number
  /** Ends the check before. */
  readonly signal: AbortSignal
}

/** A check under way. The first word counts, later ones do nothing. */
export interface Run {
  /** What is waited for; part of the reason when the time is up. */
  waitingFor: string
  pass(): void
  fail(why: string): void
  /** It could not be made, or broke off, for this reason. */
  broke(error: unknown): void
  /** Runs `clean` when the check is over, whichever way. */
  atEnd(clean: () => void): void
}

/** What went wrong, in few words. Where several addresses were tried, the first one's error speaks for all. */
export function reasonFor(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonFor(error.errors[0])
  const { message, code } = error as NodeJS.ErrnoException
  return message || code || 'failed'
}

/** Runs a check within its limits. Never rejects. */
export function runCheck({ timeout, signal }: Limits, begin: (run: Run) => void): Promise<CheckResult> {
  return new Promise((resolve) => {
    const cleaners: (() => void)[] = []
    let over = false
    const end = (result: CheckResult): void => {
      if (over) return
      over = true
      clearTimeout(timer)
      signal.removeEventListener('abort', stopped)
      for (const clean of cleaners) clean()
      resolve(result)
    }
    const run: Run = {
      waitingFor: 'a connection',
      pass: () => end({ ok: true }),
      fail: (why) => end({ ok: false, why }),
      broke(error) {
        const result = { ok: false, why: reasonFor(error) } as const
        end(shortage(error) === undefined ? result : { ...result, ours: true })
      },
      atEnd: (clean) => {
        if (over) clean()
        else cleaners.push(clean)
      },
    }
    const stopped = (): void => run.fail('the check was stopped')
    const expired = (): void => run.fail(`timed out after ${timeout} ms, waiting for ${run.waitingFor}`)
    const due = performance.now() + timeout
    // Timers run before sockets are read. If the process stood still, the answer may be waiting: it gets as much
    // time as was lost, once, so that a stall of the gateway does not make its targets unhealthy.
    let timer = setTimeout(() => {
      timer = setTimeout(expired, Math.min(timeout, Math.max(0, performance.now() - due))).unref()
    }, timeout).unref()
    signal.addEventListener('abort', stopped)
    if (signal.aborted) return stopped()
    try {
      begin(run)
    } catch (error) {
      run.broke(error)
    }
  })
}
