/** What dashboards are made of, before they become Grafana's JSON. */

export interface Query {
  readonly expr: string
  /** With `{{label}}`. */
  readonly legend: string
  /** Drawn dashed, in the colour of a threshold: it is a limit of the config. */
  readonly limit?: boolean
}

/** A limit of the whole panel: a line across it. */
export interface Threshold {
  readonly value: number
  /** What is on the other side of it is bad. */
  readonly is: 'above' | 'below'
  readonly severity: string
}

/** Units as Grafana calls them. */
export type Unit = 'reqps' | 'percentunit' | 's' | 'short' | 'bytes' | 'Bps' | 'ops' | 'd'

export interface Panel {
  readonly kind: 'timeseries' | 'stat' | 'heatmap' | 'state-timeline'
  readonly title: string
  /** What it shows, for who has to read it at night. */
  readonly description: string
  readonly unit: Unit
  readonly queries: readonly Query[]
  /** Of 24. Default 8; of a stat 4. */
  readonly width?: number
  readonly stacked?: boolean
  readonly min?: number
  readonly max?: number
  readonly thresholds?: readonly Threshold[]
}

export interface Section {
  readonly title: string
  readonly panels: readonly Panel[]
}

/** A choice that is offered above the panels, of the values that a label has. */
export interface Choice {
  readonly name: string
  readonly label: string
  /** PromQL of `label_values`. */
  readonly of: string
  /** What is chosen at first. Default: all. */
  readonly chosen?: string
}

export interface Dashboard {
  readonly uid: string
  readonly title: string
  readonly description: string
  readonly choices: readonly Choice[]
  readonly annotations: readonly Annotation[]
  readonly sections: readonly Section[]
}

/** Marks on the time axis, where the expression has a value. */
export interface Annotation {
  readonly name: string
  readonly expr: string
  /** With `{{label}}`. */
  readonly title: string
  readonly colour: 'red' | 'orange' | 'purple'
}
