import { statSync } from 'node:fs'
import { isatty } from 'node:tty'
import type { FastifyInstance } from 'fastify'
import type { ListenerCertificates } from '../config/certificates.ts'
import { isFastifyCli } from '../config/ports.ts'
import { FileChanges } from './file-changes.ts'

/** So often are files looked at, in milliseconds. */
const LOOK_EVERY = 60_000

/** What is another once one of `files` has been written or replaced; links are followed. */
function stampOf(files: readonly string[]): string {
  return files
    .map((file) => {
      const stat = statSync(file, { throwIfNoEntry: false })
      return stat === undefined ? '' : `${stat.ino} ${stat.size} ${stat.mtimeMs}`
    })
    .join('\n')
}

/** Without the rights to a folder a file cannot even be looked at. */
function look(files: readonly string[]): string {
  try {
    return stampOf(files)
  } catch (error) {
    return String(error)
  }
}

/**
 * Reads one listener's certificates again and says what has come of it.
 * @returns whether there was anything to say
 */
function renew(app: FastifyInstance, certificates: ListenerCertificates): boolean {
  const { place } = certificates
  try {
    const { changed, clientCa, problems } = certificates.renew(Date.now())
    for (const { path, message } of problems)
      app.log.error({ place: path }, `not renewed, the old one stays: ${path}: ${message}`)
    if (changed) {
      const until = certificates.ends.map(({ at }) => new Date(at * 1000).toISOString())
      app.log.info(
        { place, until },
        `${place} is renewed: new connections are shown what is in its files now`,
      )
      if (clientCa) app.log.info({ place }, `${place}.clientCa is another: open connections are told to go`)
    }
    return changed || problems.length > 0
  } catch (error) {
    // Nobody else would catch it, and no certificate is worth a gateway that goes down.
    app.log.error({ err: error, place }, `${place} could not be renewed`)
    return true
  }
}

/**
 * Gives SIGHUP to `reload`, as daemons have it, and takes it from those who would stop the gateway on it: they do so on
 * SIGTERM just as well. Not under a terminal, where it says that the window was closed.
 */
function onHangup(reload: () => void): { take(): void; release(): void } {
  // In anybody else's process, its signals are not ours.
  const ours = isFastifyCli(process.argv[1]) && !isatty(0)
  return {
    take() {
      if (!ours) return
      const stops: unknown[] = process.listeners('SIGTERM')
      for (const listener of process.listeners('SIGHUP'))
        if (stops.includes(listener)) process.off('SIGHUP', listener)
      if (!process.listeners('SIGHUP').includes(reload)) process.on('SIGHUP', reload)
    },
    release() {
      process.off('SIGHUP', reload)
    },
  }
}

/** Certificates in files are read again on SIGHUP, and when the files have changed. */
export function renewCertificates(app: FastifyInstance): void {
  const fromFiles = app.certificates.listeners.filter(({ files }) => files.length > 0)
  const hangup = onHangup(() => {
    if (fromFiles.length === 0) app.log.info('SIGHUP: no listener has certificates in files to read again')
    for (const certificates of fromFiles) {
      const { place } = certificates
      if (!renew(app, certificates)) app.log.info({ place }, `the certificates of ${place} have not changed`)
    }
  })
  const watched = fromFiles.map((certificates) => {
    const { files } = certificates
    return { certificates, files, changes: new FileChanges(look(files)) }
  })
  let timer: NodeJS.Timeout | undefined
  app.addHook('onReady', async () => hangup.take())
  app.addHook('onListen', async () => {
    if (fromFiles.length === 0) return
    timer = setInterval(() => {
      for (const { certificates, files, changes } of watched)
        if (changes.look(look(files))) renew(app, certificates)
    }, LOOK_EVERY).unref()
  })
  // Whoever has heard the first signal stops at once on the second, and has just begun to listen for this one too.
  app.addHook('preClose', async () => hangup.take())
  app.addHook('onClose', async () => {
    hangup.release()
    clearInterval(timer)
  })
}
