import assert from 'node:assert/strict'
import { ConfigError } from '../../plugins/config/errors.ts'
import { buildGateway } from '../support/gateway.ts'

/** The error that a gateway of this config ends with. */
export async function refusal(config: unknown): Promise<ConfigError> {
  try {
    const app = await buildGateway(config)
    await app.close()
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    return error
  }
  return assert.fail('the config was taken')
}
