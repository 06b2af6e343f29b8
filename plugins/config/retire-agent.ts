import type { Agent } from 'node:http'

/** Closes an agent's connections: idle ones at once, the others after their answer. It is of no use from then on. */
export function retireAgent(agent: Agent): void {
  agent.maxFreeSockets = 0
  for (const sockets of Object.values(agent.freeSockets)) {
    for (const socket of [...(sockets ?? [])]) socket.destroy()
  }
}
