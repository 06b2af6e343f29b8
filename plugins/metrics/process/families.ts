import { readdirSync, readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { memoryUsage } from 'node:process'
import type { CertificateEnd } from '../../config/certificate-ends.ts'
import { type Family, labelText, type Page } from '../exposition/page.ts'
import { writeHistogram } from '../exposition/request-families.ts'
import type { Collections } from './collections.ts'
import type { EventLoop } from './event-loop.ts'

/** What is known of the process besides what it counts. */
export interface ProcessFacts {
  readonly version: string
  readonly routes: number
  readonly upstreams: number
  /** As they are shown now. */
  readonly certificates: () => readonly CertificateEnd[]
  readonly loop: EventLoop
  readonly collections: Collections
}

function gauge(name: string, help: string, value: () => number | undefined): Family {
  return simple(name, 'gauge', help, value)
}

function counter(name: string, help: string, value: () => number | undefined): Family {
  return simple(name, 'counter', help, value)
}

function simple(
  name: string,
  type: 'gauge' | 'counter',
  help: string,
  value: () => number | undefined,
): Family {
  return {
    name,
    help,
    type,
    labels: [],
    write(page) {
      const now = value()
      if (now !== undefined) page.sample('', now)
      return undefined
    },
  }
}

function info(name: string, help: string, labels: Readonly<Record<string, string>>): Family {
  const names = Object.keys(labels)
  return {
    name,
    help,
    type: 'gauge',
    labels: names,
    write(page) {
      page.sample(labelText(names, Object.values(labels)), 1)
      return undefined
    },
  }
}

/** From /proc, so undefined where there is none. */
function fromProc<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** A number from one of the files in /proc/self; undefined where it is not said, or without limit. */
function procNumber(file: string, pattern: RegExp): number | undefined {
  const text = fromProc(() => readFileSync(`/proc/self/${file}`, 'latin1'))
  const found = text === undefined ? undefined : pattern.exec(text)?.[1]
  return found === undefined ? undefined : Number(found)
}

/** The process under the names that Prometheus' client libraries give it, and what the gateway is. */
export function processFamilies({
  version,
  routes,
  upstreams,
  certificates,
  loop,
  collections,
}: ProcessFacts): Family[] {
  const cpu = process.cpuUsage()
  const memory = memoryUsage()
  const delay = loop.delay
  const utilization = performance.eventLoopUtilization()
  const virtualKiB = procNumber('status', /^VmSize:\s+(\d+) kB/m)
  return [
    info('holdfast_build_info', 'Which gateway this is; always 1.', { version, node: process.version }),
    gauge('holdfast_config_routes', 'Routes of the config.', () => routes),
    gauge('holdfast_config_upstreams', 'Upstreams of the config.', () => upstreams),
    {
      name: 'holdfast_certificate_expiry_timestamp_seconds',
      help: 'When a certificate that the gateway shows ends, in seconds since 1970.',
      type: 'gauge',
      labels: ['place'],
      write(page: Page) {
        for (const { place, at } of certificates()) page.sample(labelText(['place'], [place]), at)
        return undefined
      },
    },
    counter('process_cpu_user_seconds_total', 'CPU time spent in user mode.', () => cpu.user / 1e6),
    counter('process_cpu_system_seconds_total', 'CPU time spent in the kernel.', () => cpu.system / 1e6),
    counter('process_cpu_seconds_total', 'CPU time in all.', () => (cpu.user + cpu.system) / 1e6),
    gauge(
      'process_start_time_seconds',
      'When the process started, in seconds since 1970.',
      () => performance.timeOrigin / 1000,
    ),
    gauge('process_resident_memory_bytes', 'Memory that is held in RAM.', () => memory.rss),
    gauge('process_virtual_memory_bytes', 'Address space.', () =>
      virtualKiB === undefined ? undefined : virtualKiB * 1024,
    ),
    gauge('process_open_fds', 'Open file descriptors.', () =>
      fromProc(() => readdirSync('/proc/self/fd').length),
    ),
    gauge('process_max_fds', 'Most file descriptors that may be open.', () =>
      procNumber('limits', /^Max open files\s+(\d+)/m),
    ),
    info('nodejs_version_info', 'Version of Node.js; always 1.', { version: process.version }),
    gauge('nodejs_heap_size_total_bytes', "V8's heap.", () => memory.heapTotal),
    gauge('nodejs_heap_size_used_bytes', "What of V8's heap is in use.", () => memory.heapUsed),
    gauge('nodejs_external_memory_bytes', 'Memory of objects outside of the heap.', () => memory.external),
    gauge('nodejs_array_buffers_bytes', 'What of it belongs to buffers.', () => memory.arrayBuffers),
    gauge(
      'nodejs_active_resources',
      'Handles and requests that keep the event loop busy.',
      () => process.getActiveResourcesInfo().length,
    ),
    gauge(
      'nodejs_eventloop_lag_p50_seconds',
      'Median delay of the event loop in the worst 10 s of the last minute.',
      () => delay.p50,
    ),
    gauge('nodejs_eventloop_lag_p99_seconds', '99th percentile of it, likewise.', () => delay.p99),
    gauge(
      'nodejs_eventloop_lag_max_seconds',
      'Longest delay of the event loop in the last minute.',
      () => delay.max,
    ),
    gauge(
      'nodejs_eventloop_utilization_ratio',
      'Part of the last 10 s in which the event loop was busy, 0 to 1.',
      () => loop.utilization,
    ),
    counter(
      'nodejs_eventloop_active_seconds_total',
      'Time in which the event loop was busy.',
      () => utilization.active / 1000,
    ),
    counter(
      'nodejs_eventloop_idle_seconds_total',
      'Time in which it waited for something to do.',
      () => utilization.idle / 1000,
    ),
    {
      name: 'nodejs_gc_duration_seconds',
      help: 'Garbage collections, by kind: minor, major, incremental or weakcb.',
      type: 'histogram',
      labels: ['kind'],
      write(page: Page) {
        for (const [kind, histogram] of collections.byKind) writeHistogram(page, `kind="${kind}"`, histogram)
        return undefined
      },
    },
  ]
}
