/**
 * Loaded before anything else (`node --import`). Not in TypeScript: that would load the stripper of types, which an old
 * Node does not have.
 */
import module from 'node:module'
import { join } from 'node:path'

const NEEDED = 24
if (Number.parseInt(process.versions.node, 10) < NEEDED) {
  console.error(
    `Holdfast needs Node ${NEEDED} or later, and this is ${process.versions.node}; \`npm ci\` installs one, which \`npm start\` uses`,
  )
  process.exit(1)
}

// libuv reads it when its pool is first used. With the usual four, two names of targets that hang in the resolver hold all
// the threads that look-ups may take; more cost nothing as long as they have nothing to do.
process.env['UV_THREADPOOL_SIZE'] ??= '16'

// What was compiled once, its types stripped, is read from disk the next time. Where the folder cannot be written to, all
// is as without it. Portable: by paths relative to the folder, so that a checkout that was moved or copied finds it as well.
module.enableCompileCache({
  directory: join(import.meta.dirname, '../node_modules/.cache/node'),
  portable: true,
})

// Node writes when the process ends, and one that is killed ends without.
setTimeout(module.flushCompileCache, 5000).unref()
