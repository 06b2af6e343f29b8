import type { BucketCounts } from '../recording/bounds.ts'
import type { Recorder } from '../recording/recorder.ts'
import type { RouteSeries } from '../recording/route-series.ts'
import { RESULTS } from '../recording/traffic.ts'
import { type Exemplar, type Family, labelText, type Page } from './page.ts'

export function writeHistogram(
  page: Page,
  labels: string,
  histogram: BucketCounts,
  exemplarOf?: (bucket: number) => Exemplar | undefined,
): void {
  page.histogram(labels, histogram.bounds.le, histogram.counts, histogram.sumMs / 1000, exemplarOf)
}

function exemplarsOf({ exemplars }: RouteSeries, epochMs: number) {
  if (exemplars === undefined) return undefined
  const { ids, traced, milliseconds, at } = exemplars
  return (bucket: number): Exemplar | undefined => {
    const id = ids[bucket]
    if (id === undefined) return undefined
    return {
      label: traced[bucket] === true ? 'trace_id' : 'request_id',
      id,
      value: (milliseconds[bucket] as number) / 1000,
      at: (epochMs + (at[bucket] as number)) / 1000,
    }
  }
}

/**
 * What is shown of the requests of clients, by route.
 * @param epochMs when the monotonic clock was 0, in milliseconds since 1970
 */
export function requestFamilies(recorder: Recorder, epochMs: number): Family[] {
  const each = (
    write: (page: Page, series: RouteSeries, labels: string) => void,
    more = [recorder.none, recorder.local],
  ) =>
    function* (page: Page) {
      for (const series of [...recorder.routes.values(), ...more]) {
        write(page, series, labelText(['route'], [series.name]))
        yield
      }
    }
  return [
    {
      name: 'holdfast_requests_total',
      help: 'Requests that ended, by what came of them.',
      type: 'counter',
      labels: ['route', 'result'],
      write: each((page, { traffic }, labels) => {
        for (let i = 0; i < RESULTS.length; i++)
          page.sample(`${labels},result="${RESULTS[i]}"`, traffic.results[i] as number)
      }),
    },
    {
      name: 'holdfast_request_duration_seconds',
      help: "From a request's headers until the connection was done with its response.",
      type: 'histogram',
      labels: ['route'],
      write: each((page, series, labels) =>
        writeHistogram(page, labels, series.traffic.durations, exemplarsOf(series, epochMs)),
      ),
    },
    {
      name: 'holdfast_gateway_duration_seconds',
      help: 'What of that was not spent waiting for targets; of requests that went to an upstream.',
      type: 'histogram',
      labels: ['route'],
      write: each((page, { gateway }, labels) => writeHistogram(page, labels, gateway), []),
    },
    {
      name: 'holdfast_request_bytes_total',
      help: 'Bytes that came from clients, headers included; with HTTP/2 bodies only.',
      type: 'counter',
      labels: ['route'],
      write: each((page, { bytesIn }, labels) => page.sample(labels, bytesIn)),
    },
    {
      name: 'holdfast_response_bytes_total',
      help: 'Bytes that went to clients, headers included; with HTTP/2 bodies only.',
      type: 'counter',
      labels: ['route'],
      write: each((page, { bytesOut }, labels) => page.sample(labels, bytesOut)),
    },
    {
      name: 'holdfast_errors_total',
      help: 'Requests that the gateway answered with an error of its own, by its code.',
      type: 'counter',
      labels: ['route', 'code'],
      write: each((page, { errors }, labels) => {
        for (const [code, count] of errors) page.sample(`${labels},${labelText(['code'], [code])}`, count)
      }),
    },
  ]
}
