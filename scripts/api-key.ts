/**
 * `npm run api-key`: makes an API key for a consumer, and says what of it goes into the config.
 * `npm run api-key -- --hash`: reads a key that there is already, made elsewhere, and says the same.
 * `npm run api-key -- --password`: reads a password and prints its hash.
 */

import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { isMistyped, LONGEST_KEY, makeKey } from '../plugins/auth/api-key/key.ts'
import { isGuessable } from '../plugins/auth/api-key/keys.ts'
import { hashKey } from '../plugins/auth/api-key/node.ts'
import { hashPassword } from '../plugins/auth/basic/node.ts'
import { DEFAULT_COST } from '../plugins/auth/basic/phc.ts'
import { dateMs } from '../plugins/config/dates.ts'
import { messageOf } from '../plugins/config/messages.ts'

const USAGE = `usage: npm run api-key -- [--name <what for>] [--expires <date>]
       npm run api-key -- --hash [--name <what for>] [--expires <date>] < file-with-the-key
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
        hash: { type: 'boolean', default: false },
        password: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
  } catch (error) {
    return fail(`${messageOf(error)}\n${USAGE}`)
  }
}

/** From a pipe or, typed, without being shown: an argument would be in the shell's history and in every `ps`. */
async function readSecret(what: string): Promise<string> {
  const { stdin, stderr } = process
  if (!stdin.isTTY) {
    const chunks: Buffer[] = []
    for await (const chunk of stdin) chunks.push(chunk)
    // The line's end is the shell's.
    return Buffer.concat(chunks)
      .toString('utf8')
      .replace(/\r?\n$/, '')
  }
  stderr.write(`${what}: `)
  const lines = createInterface({ input: stdin, terminal: true })
  const text = await lines.question('')
  lines.close()
  stderr.write('\n')
  return text
}

/** Shorter ones can be tried out one after another, by whoever has got hold of the config. */
const SHORT_KEY = 20

async function readKey(): Promise<string> {
  const key = await readSecret('Key')
  if (key.length > LONGEST_KEY) fail(`the key is longer than ${LONGEST_KEY} characters: none is taken then`)
  if (!/^[!-~]+$/.test(key))
    fail('a key has visible ASCII characters only, and no blanks; send it in with printf %s')
  if (isMistyped(key))
    fail('the key looks like one of ours, but its checksum is wrong: something of it is missing')
  if (isGuessable(key)) fail('anybody would try that; make a key with `npm run api-key`')
  if (key.length < SHORT_KEY)
    console.error(`The key has less than ${SHORT_KEY} characters: unless it is random, make a new one.\n`)
  return key
}

const { name, expires, hash, password, help } = options()
if (help) console.log(USAGE)
else if (password) {
  if (name !== undefined || expires !== undefined || hash)
    fail(`--name, --expires and --hash are for keys\n${USAGE}`)
  const text = await readSecret('Password')
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
  const key = hash ? await readKey() : makeKey(randomBytes(32))
  const facts = [
    `hash: '${hashKey(key)}'`,
    ...(name === undefined ? [] : [`name: ${JSON.stringify(name)}`]),
    ...(expires === undefined ? [] : [`expires: '${expires}'`]),
  ]
  if (!hash) {
    console.error('The key, for whoever is to use it. It is shown this once and kept nowhere:\n')
    console.log(key)
    console.error('')
  }
  console.error('For gateway.config.ts, among the `apiKeys` of a consumer:\n')
  console.error(`  { ${facts.join(', ')} },`)
}
