/** Panels in Grafana's schema. */
import type { Panel, Query, Threshold } from './panel.ts'

export const HEIGHTS: Readonly<Record<Panel['kind'], number>> = {
  timeseries: 8,
  heatmap: 8,
  'state-timeline': 8,
  stat: 4,
}
export const WIDTHS: Readonly<Record<Panel['kind'], number>> = {
  timeseries: 8,
  heatmap: 8,
  'state-timeline': 12,
  stat: 4,
}
/** The one that is chosen above the panels. */
export const DATASOURCE = { type: 'prometheus', uid: '$datasource' }

export type Json = Readonly<Record<string, unknown>>

const refId = (index: number): string => String.fromCharCode(65 + index)

function target({ expr, legend }: Query, index: number, kind: Panel['kind']): Json {
  return {
    datasource: DATASOURCE,
    editorMode: 'code',
    expr,
    legendFormat: legend,
    format: kind === 'heatmap' ? 'heatmap' : 'time_series',
    instant: kind === 'stat',
    range: kind !== 'stat',
    refId: refId(index),
  }
}

/** From low to high, as Grafana wants them; the first begins at minus infinity. */
function steps(all: readonly Threshold[]): Json[] {
  // Of limits that are alike the worst one counts.
  const critical = all.filter(({ severity }) => severity === 'critical')
  const alike = (a: Threshold, b: Threshold): boolean => a.value === b.value && a.is === b.is
  const ranked = [...critical, ...all]
  const thresholds = ranked.filter((one, i) => ranked.findIndex((other) => alike(one, other)) === i)
  const colour = ({ severity }: Threshold): string => (severity === 'critical' ? 'red' : 'orange')
  const above = thresholds.filter(({ is }) => is === 'above').toSorted((a, b) => a.value - b.value)
  const below = thresholds.filter(({ is }) => is === 'below').toSorted((a, b) => a.value - b.value)
  // Below the lowest limit it is as bad as that one says, between the last of them and the first above all is well.
  const colours = [...below.map(colour), 'green']
  const bounds = [null, ...below.map(({ value }) => value)]
  const low = bounds.map((value, i) => ({ color: colours[i] as string, value }))
  return [...low, ...above.map((one) => ({ color: colour(one), value: one.value }))]
}

function fieldConfig(panel: Panel): Json {
  const { kind, unit, min, max, thresholds = [], queries, stacked = false } = panel
  const lines = thresholds.length > 0 && kind === 'timeseries'
  const custom: Readonly<Record<Panel['kind'], Json>> = {
    timeseries: {
      drawStyle: 'line',
      lineInterpolation: 'linear',
      lineWidth: 1,
      fillOpacity: stacked ? 25 : 5,
      showPoints: 'never',
      spanNulls: false,
      stacking: { group: 'A', mode: stacked ? 'normal' : 'none' },
      thresholdsStyle: { mode: lines ? 'line' : 'off' },
    },
    'state-timeline': { fillOpacity: 70, lineWidth: 0, spanNulls: false },
    heatmap: {},
    stat: {},
  }
  return {
    defaults: {
      color: { mode: kind === 'timeseries' ? 'palette-classic' : 'thresholds' },
      custom: custom[kind],
      mappings: [],
      ...(min === undefined ? {} : { min }),
      ...(max === undefined ? {} : { max }),
      thresholds: { mode: 'absolute', steps: steps(thresholds) },
      unit,
    },
    overrides: queries.flatMap(({ limit }, i) =>
      limit === true
        ? [
            {
              matcher: { id: 'byFrameRefID', options: refId(i) },
              properties: [
                { id: 'custom.lineStyle', value: { dash: [10, 10], fill: 'dash' } },
                { id: 'custom.fillOpacity', value: 0 },
                { id: 'custom.stacking', value: { group: 'A', mode: 'none' } },
                { id: 'color', value: { fixedColor: 'red', mode: 'fixed' } },
              ],
            },
          ]
        : [],
    ),
  }
}

const OPTIONS: Readonly<Record<Panel['kind'], Json>> = {
  timeseries: {
    legend: { calcs: ['lastNotNull', 'max'], displayMode: 'table', placement: 'bottom', showLegend: true },
    tooltip: { mode: 'multi', sort: 'desc' },
  },
  stat: {
    colorMode: 'value',
    graphMode: 'none',
    justifyMode: 'auto',
    orientation: 'auto',
    reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    textMode: 'auto',
  },
  heatmap: {
    calculate: false,
    cellGap: 1,
    color: {
      mode: 'scheme',
      scheme: 'Oranges',
      steps: 64,
      exponent: 0.5,
      reverse: false,
      fill: 'dark-orange',
    },
    filterValues: { le: 1e-9 },
    legend: { show: true },
    rowsFrame: { layout: 'auto' },
    tooltip: { mode: 'single', yHistogram: false, showColorScale: false },
    yAxis: { axisPlacement: 'left', reverse: false, unit: 's' },
  },
  'state-timeline': {
    alignValue: 'left',
    legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
    mergeValues: true,
    rowHeight: 0.9,
    showValue: 'never',
    tooltip: { mode: 'single', sort: 'none' },
  },
}

/** All but its number and its place. */
export function panelJson(panel: Panel): Json {
  return {
    type: panel.kind,
    title: panel.title,
    description: panel.description,
    datasource: DATASOURCE,
    fieldConfig: fieldConfig(panel),
    options: OPTIONS[panel.kind],
    targets: panel.queries.map((query, i) => target(query, i, panel.kind)),
  }
}
