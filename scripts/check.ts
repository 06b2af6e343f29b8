/** `npm run check`: validates the config without starting anything. */

import Fastify from 'fastify'
import app, { options } from '../app.ts'
import { messageOf } from '../plugins/config/messages.ts'

const fastify = Fastify(options)
try {
  await fastify.register(app, {})
  console.log('the config is fine')
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = 1
}
