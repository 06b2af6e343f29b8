import { readdirSync, readFileSync } from 'node:fs'

/** The kernel reports times in ticks of USER_HZ, which is 100 on every Linux that Node runs on. */
const microsecondsPerTick = 10_000

/** User and system time (µs) of all processes of a group, with their children that have ended. */
export function groupCpu(group: number): number {
  let sum = 0
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const fields = statOf(entry)
    if (Number(fields[2]) === group) sum += timeOf(fields)
  }
  return sum
}

/** User and system time (µs) of one process, with its children that have ended. */
export function processCpu(pid: number | 'self'): number {
  return timeOf(statOf(String(pid)))
}

/** utime, stime, cutime, cstime: fields 14 to 17 of proc(5), of which the first two are cut off here. */
function timeOf(fields: readonly string[]): number {
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) * microsecondsPerTick
}

function statOf(pid: string): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return [] // ended meanwhile
  }
}

/** Time (µs) for which a core has not been idle, whoever used it; the hypervisor's steal included. */
export function coreBusy(core: number): number {
  const line = readFileSync('/proc/stat', 'latin1')
    .split('\n')
    .find((text) => text.startsWith(`cpu${core} `))
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (line ?? '')
    .split(' ')
    .slice(1)
    .map(Number)
  return (user + nice + system + irq + softirq + steal) * microsecondsPerTick
}
