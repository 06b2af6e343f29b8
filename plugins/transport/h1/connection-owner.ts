import type { Connection } from './connection.ts'
import type { FieldNames } from './fields.ts'

/** What a connection needs of its pool. */
export interface ConnectionOwner {
  readonly names: FieldNames
  readonly maxHeaderSize: number
  readonly keepAliveTimeout: number
  /** Shared by all: what is read is taken out before the next read. */
  readonly buffer: Buffer
  /** Its request is over, and it may have another. */
  freed(connection: Connection): void
  /** It is of no use any more. `error`: why, if it was never established. */
  lost(connection: Connection, error: Error): void
}
