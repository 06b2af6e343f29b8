import { setTimeout as sleep } from 'node:timers/promises'

/** Waits until `holds`, and fails after `timeoutMs` with what it was waited for. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}`)
    await sleep(5)
  }
}
