import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nginxCommand } from './configs.ts'
import { freePorts, listening, type Processes } from './processes.ts'

export interface Targets {
  ports: number[]
  /** Process group. */
  pid: number
  /** Connections accepted since the start, and requests answered. */
  counts(): Promise<{ connections: number; requests: number }>
}

/** Answers with the target's port and the X-Forwarded-For that reached it. */
export const checkPath = '/bench-check'

/** nginx holds a word of its configuration in 4 KiB: a larger answer comes from a file. */
const longestInline = 3000

/** Three targets: one nginx process that listens on three ports and answers with the same JSON. */
export async function startTargets(processes: Processes, core: number, bodyBytes: number): Promise<Targets> {
  const [a = 0, b = 0, c = 0, status = 0] = await freePorts(4)
  const directory = join(processes.directory, 'targets')
  mkdirSync(directory, { recursive: true })
  const body = jsonOf(bodyBytes)
  writeFileSync(join(directory, 'answer'), body)
  const answer = bodyBytes <= longestInline ? `return 200 '${body}';` : 'try_files /answer =404;'
  const config = `
    daemon off;
    master_process off;
    pid nginx.pid;
    error_log stderr crit;
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    events { worker_connections 4096; }
    http {
      access_log off;
      default_type application/json;
      keepalive_requests 1000000000;
      keepalive_timeout 1h;
      open_file_cache max=10 inactive=1h;
      client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
      uwsgi_temp_path uwsgi; scgi_temp_path scgi;
      server {
        listen 127.0.0.1:${a}; listen 127.0.0.1:${b}; listen 127.0.0.1:${c};
        root ${directory};
        location = ${checkPath} { return 200 '$server_port $http_x_forwarded_for'; }
        location / { ${answer} }
      }
      server { listen 127.0.0.1:${status}; location / { stub_status; } }
    }`
  const nginx = processes.start('targets (nginx)', core, nginxCommand(directory, config))
  await listening(nginx, status)
  return {
    ports: [a, b, c],
    pid: nginx.pid,
    async counts() {
      const text = await (
        await fetch(`http://127.0.0.1:${status}/`, { headers: { connection: 'close' } })
      ).text()
      const [connections = 0, , requests = 0] = (/\n (\d+) (\d+) (\d+)/.exec(text) ?? []).slice(1).map(Number)
      return { connections, requests }
    },
  }
}

function jsonOf(bytes: number): string {
  const frame = JSON.stringify({ pad: '' })
  return bytes < frame.length
    ? JSON.stringify('x'.repeat(bytes - 2))
    : JSON.stringify({ pad: 'x'.repeat(bytes - frame.length) })
}
