// Each peer tuned for availability as a good operator would, within what it can do without a paid edition.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nginxCommand } from '../proxy/configs.ts'
import type { Command } from '../proxy/processes.ts'

export interface Setting {
  /** An existing directory of the gateway's own. */
  directory: string
  port: number
  targets: readonly number[]
}

/**
 * Passive: it has no active health checks. GETs are repeated elsewhere after any failure before the first byte of the
 * answer, POSTs only if nothing was sent (no `non_idempotent`). The times allow a request to meet one dead and one
 * frozen target and still be answered within two seconds.
 */
export function nginx({ directory, port, targets }: Setting): Command {
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
      upstream targets {
        ${targets.map((target) => `server 127.0.0.1:${target} max_fails=2 fail_timeout=2s;`).join('\n        ')}
        keepalive 64;
        keepalive_requests 1000000000;
        keepalive_timeout 60s;
      }
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://targets;
          proxy_http_version 1.1;
          proxy_set_header Connection "";
          proxy_set_header Host $host;
          proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
          proxy_buffering on;
          proxy_connect_timeout 300ms;
          proxy_send_timeout 600ms;
          proxy_read_timeout 600ms;
          proxy_next_upstream error timeout invalid_header http_500 http_502 http_503 http_504;
          proxy_next_upstream_tries 3;
        }
      }
    }`,
  )
}

/**
 * Active checks twice a second, passive ones besides, retries on another server. The one setting that is not safe:
 * `retry-on all-retryable-errors` repeats POSTs as well. It is what guides to high availability recommend.
 */
export function haproxy(setting: Setting): Command {
  return haproxyWith(setting, '')
}

/** The same, but what is no GET is not repeated once it was sent. */
export function haproxySafe(setting: Setting): Command {
  return haproxyWith(setting, '  http-request disable-l7-retry unless METH_GET\n')
}

function haproxyWith({ directory, port, targets }: Setting, rule: string): Command {
  const file = join(directory, 'haproxy.cfg')
  writeFileSync(
    file,
    `global
  maxconn 4096
  nbthread 1

defaults
  mode http
  timeout connect 300ms
  timeout client 60s
  timeout server 600ms
  timeout check 300ms
  timeout http-keep-alive 60s
  option forwardfor
  http-reuse safe
  retries 2
  option redispatch 1
  retry-on all-retryable-errors

frontend clients
  bind 127.0.0.1:${port}
${rule}  default_backend targets

backend targets
  balance roundrobin
  option httpchk GET /healthz
  default-server check inter 500ms fastinter 200ms rise 2 fall 2 observe layer7 error-limit 3 on-error mark-down
${targets.map((target, i) => `  server target${i} 127.0.0.1:${target}`).join('\n')}
`,
  )
  return { file: 'haproxy', args: ['-db', '-q', '-f', file] }
}

/**
 * Active checks twice a second and passive ones besides. It repeats GETs, and other methods only if no connection was
 * made. The short pause between tries is for the two good targets; the default of 250 ms is for a lone one.
 */
export function caddy({ directory, port, targets }: Setting): Command {
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
    lb_retries 2
    lb_try_duration 2s
    lb_try_interval 20ms
    fail_duration 2s
    max_fails 2
    unhealthy_status 500 502 503 504
    health_uri /healthz
    health_interval 500ms
    health_timeout 300ms
    transport http {
      dial_timeout 300ms
      response_header_timeout 600ms
      keepalive 60s
      keepalive_idle_conns_per_host 64
    }
  }
}
`,
  )
  const env = { HOME: directory, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory }
  return { file: 'caddy', args: ['run', '--adapter', 'caddyfile', '--config', file], env }
}
