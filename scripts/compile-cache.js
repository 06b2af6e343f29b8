/**
 * Loaded before anything else (`node --import`): what was compiled once, its types stripped, is read from disk the next
 * time. Where the folder cannot be written to, all is as without it. Not in TypeScript: that would load the stripper.
 */
import { enableCompileCache, flushCompileCache } from 'node:module'
import { join } from 'node:path'

// Portable: by paths relative to the folder, so that a checkout that was moved or copied finds it as well.
enableCompileCache({ directory: join(import.meta.dirname, '../node_modules/.cache/node'), portable: true })

// Node writes when the process ends, and one that is killed ends without.
setTimeout(flushCompileCache, 5000).unref()
