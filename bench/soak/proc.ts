import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface Descriptors {
  sockets: number
  pipes: number
  others: number
}

/** Resident memory of a process (bytes). */
export function residentOf(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
  return Number(kib) * 1024
}

/** What a process holds open. */
export function descriptorsOf(pid: number): Descriptors {
  const counts = { sockets: 0, pipes: 0, others: 0 }
  for (const name of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const link = readlinkSync(`/proc/${pid}/fd/${name}`)
      counts[link.startsWith('socket:') ? 'sockets' : link.startsWith('pipe:') ? 'pipes' : 'others']++
    } catch {
      // closed meanwhile
    }
  }
  return counts
}
