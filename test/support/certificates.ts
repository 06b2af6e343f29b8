import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** PEM texts and the files that hold them. */
export interface Certificate {
  readonly cert: string
  readonly key: string
  readonly certFile: string
  readonly keyFile: string
}

export interface Authority extends Certificate {
  /**
   * @param name common name and first DNS name
   * @param names more subject names, such as `IP:127.0.0.1`
   * @param days how long it holds; a day is the least
   */
  issue(name: string, options?: { names?: readonly string[]; days?: number }): Certificate
}

function openssl(folder: string, ...options: readonly string[]): void {
  execFileSync('openssl', options, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
}

function read(folder: string, file: string): Certificate {
  const certFile = join(folder, `${file}.crt`)
  const keyFile = join(folder, `${file}.key`)
  return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8'), certFile, keyFile }
}

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'] as const

/** An authority of its own in a temporary folder, which goes with the process. */
export function createAuthority(name = 'Test CA'): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  openssl(
    folder,
    'req',
    '-x509',
    ...EC,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-days',
    '30',
    '-subj',
    `/CN=${name}`,
  )
  let issued = 0
  return {
    ...read(folder, 'ca'),
    issue(subject, { names = [], days = 30 } = {}) {
      issued++
      const file = `issued-${issued}`
      openssl(
        folder,
        'req',
        ...EC,
        '-keyout',
        `${file}.key`,
        '-out',
        `${file}.csr`,
        '-subj',
        `/CN=${subject}`,
      )
      writeFileSync(join(folder, `${file}.ext`), `subjectAltName=${[`DNS:${subject}`, ...names].join(',')}\n`)
      openssl(
        folder,
        ...['x509', '-req', '-in', `${file}.csr`, '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial'],
        ...['-out', `${file}.crt`, '-days', String(days), '-extfile', `${file}.ext`],
      )
      return read(folder, file)
    },
  }
}
