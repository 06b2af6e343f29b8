/**
 * `npm run api-key`: makes an API key for a consumer, and says what of it goes into the config.
 * `npm run api-key -- --password`: reads a password and prints its hash.
 */

import { createHash, randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { makeKey } from '../plugins/auth/api-key/key.ts'
import { hashPassword } from '../plugins/auth/basic/node.ts'
import { DEFAULT_COST } from '../plugins/auth/basic/phc.ts'
import { dateMs } from '../plugins/config/dates.ts'
import { messageOf } from '../plugins/config/messages.ts'

const USAGE = `usage: npm run api-key -- [--name <what for>] [--expires <date>]
       npm run api-key -- --password < file-with-the-password`

function fail(message: string): never {
  console.error(message)
  process.exit(2)
}

function options() {
  try {
    return parseArgs({
      options: {
        name: { type: 'string' },
        expires: { type: 'string' },
        password: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
  } catch (error) {
    return fail(`${messageOf(error)}\n${USAGE}`)
  }
}

/** From a pipe or, typed, without being shown: an argument would be in the shell's history and in every `ps`. */
async function readPassword(): Promise<string> {
  const { stdin, stderr } = process
  if (!stdin.isTTY) {
    const chunks: Buffer[] = []
    for await (const chunk of stdin) chunks.push(chunk)
    // The line's end is the shell's.
    return Buffer.concat(chunks)
      .toString('utf8')
      .replace(/\r?\n$/, '')
  }
  stderr.write('Password: ')
  const lines = createInterface({ input: stdin, terminal: true })
  const password = await lines.question('')
  lines.close()
  stderr.write('\n')
  return password
}

const { name, expires, password, help } = options()
if (help) console.log(USAGE)
else if (password) {
  if (name !== undefined || expires !== undefined) fail(`--name and --expires are for keys\n${USAGE}`)
  const text = await readPassword()
  if (text === '')
    fail(
      'the password is empty; type one, or send it in: printf %s "$PASSWORD" | npm run -s api-key -- --password',
    )
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused (RFC 7617, 2)
  if (/[\u0000-\u001f\u007f]/.test(text)) fail('a password has no control characters (RFC 7617)')
  console.log(await hashPassword(text, DEFAULT_COST))
} else {
  if (expires !== undefined && Number.isNaN(dateMs(expires)))
    fail(`"${expires}" is no date; write "2027-01-31" or "2027-01-31T18:00:00Z"`)
  const key = makeKey(randomBytes(32))
  const hash = `sha256:${createHash('sha256').update(key).digest('hex')}`
  const facts = [
    `hash: '${hash}'`,
    ...(name === undefined ? [] : [`name: ${JSON.stringify(name)}`]),
    ...(expires === undefined ? [] : [`expires: '${expires}'`]),
  ]
  console.error('The key, for whoever is to use it. It is shown this once and kept nowhere:\n')
  console.log(key)
  console.error('\nFor gateway.config.ts, among the `apiKeys` of a consumer:\n')
  console.error(`  { ${facts.join(', ')} },`)
}
