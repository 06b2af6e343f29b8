/** Timers that go off when a test moves time on, in their order, and never by themselves. */
export function virtualTimers() {
  let time = 0
  let timers: { at: number; run: () => void }[] = []
  return {
    now: () => time,
    after(ms: number, run: () => void): () => void {
      const timer = { at: time + ms, run }
      timers.push(timer)
      return () => {
        timers = timers.filter((one) => one !== timer)
      }
    },
    pending: () => timers.length,
    /** Moves on by `ms`; what promises have to do is done after each timer. */
    async advance(ms: number): Promise<void> {
      const end = time + ms
      for (;;) {
        await settled()
        const next = timers.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0]
        if (next === undefined) break
        timers = timers.filter((one) => one !== next)
        time = next.at
        next.run()
      }
      time = end
    },
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
