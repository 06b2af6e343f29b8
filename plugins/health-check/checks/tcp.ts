import type { CheckResult } from '../check-state.ts'
import { type Limits, runCheck } from './run.ts'
import { type Address, openSocket } from './socket.ts'

/** Whether the target takes a connection; for `https:` also whether the TLS handshake succeeds. */
export function checkTcp(address: Address, limits: Limits): Promise<CheckResult> {
  return runCheck(limits, (run) => openSocket(run, address, ['h2', 'http/1.1'], () => run.pass()))
}
