const DESCRIPTORS =
  'this process is out of file descriptors; raise its limit: LimitNOFILE (systemd), nofile (Docker), `ulimit -n`'
const MEMORY = 'the kernel has no memory for another socket; give the machine more of it'

const REMEDIES: Readonly<Record<string, string>> = {
  EMFILE: DESCRIPTORS,
  ENFILE: 'this machine is out of file descriptors; raise fs.file-max (sysctl)',
  EADDRNOTAVAIL:
    'this machine has no local port or no address for another connection; widen net.ipv4.ip_local_port_range (sysctl)',
  ENOBUFS: MEMORY,
  ENOMEM: MEMORY,
}

/**
 * What this machine ran short of when it was to open a connection, with the remedy: nobody at the other end has anything
 * to do with it. Undefined of all other errors. Where several addresses were tried, all have to have failed by it.
 */
export function shortage(error: unknown): string | undefined {
  const { code, errors } = (error ?? {}) as { code?: unknown; errors?: unknown }
  if (Array.isArray(errors) && errors.length > 0)
    return errors.every((one) => shortage(one) !== undefined) ? shortage(errors[0]) : undefined
  return typeof code === 'string' && Object.hasOwn(REMEDIES, code) ? REMEDIES[code] : undefined
}
