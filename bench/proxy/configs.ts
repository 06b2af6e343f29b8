import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from './processes.ts'

export interface Setting {
  /** An existing directory of the contender's own. */
  directory: string
  port: number
  targets: readonly number[]
  connections: number
}

export function nginxCommand(directory: string, config: string): Command {
  mkdirSync(directory, { recursive: true })
  const file = join(directory, 'nginx.conf')
  writeFileSync(file, config)
  return { file: 'nginx', args: ['-p', directory, '-e', 'stderr', '-c', file] }
}

export function nginxProxy({ directory, port, targets, connections }: Setting): Command {
  return nginxCommand(
    directory,
    `
    daemon off;
    worker_processes 1;
    pid nginx.pid;
    error_log stderr crit;
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    events { worker_connections 4096; }
    http {
      access_log off;
      keepalive_requests 1000000000;
      keepalive_timeout 75s;
      client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
      uwsgi_temp_path uwsgi; scgi_temp_path scgi;
      upstream bench {
        ${targets.map((target) => `server 127.0.0.1:${target};`).join(' ')}
        keepalive ${connections * targets.length};
        keepalive_requests 1000000000;
      }
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://bench;
          proxy_http_version 1.1;
          proxy_set_header Connection "";
          proxy_set_header Host $host;
          proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }
      }
    }`,
  )
}

export function haproxy({ directory, port, targets }: Setting): Command {
  const file = join(directory, 'haproxy.cfg')
  writeFileSync(
    file,
    `global
  maxconn 4096
  nbthread 1

defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive 60s
  option forwardfor
  http-reuse always

frontend bench
  bind 127.0.0.1:${port}
  default_backend targets

backend targets
  balance roundrobin
${targets.map((target, i) => `  server target${i} 127.0.0.1:${target}`).join('\n')}
`,
  )
  return { file: 'haproxy', args: ['-db', '-q', '-f', file] }
}

export function caddy({ directory, port, targets, connections }: Setting): Command {
  const file = join(directory, 'Caddyfile')
  writeFileSync(
    file,
    `{
  admin off
  auto_https off
  log {
    output discard
  }
}
http://:${port} {
  bind 127.0.0.1
  reverse_proxy ${targets.map((target) => `127.0.0.1:${target}`).join(' ')} {
    lb_policy round_robin
    transport http {
      keepalive 75s
      keepalive_idle_conns ${connections * targets.length}
      keepalive_idle_conns_per_host ${connections}
    }
  }
}
`,
  )
  const env = { GOMAXPROCS: '1', HOME: directory, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory }
  return { file: 'caddy', args: ['run', '--adapter', 'caddyfile', '--config', file], env }
}
