/** How much of anything is taken, and how long things may last. Each is a setting of the gateway; the reason stands beside the default. */
export interface DomainLimits {
  readonly leaseSecondsAtLeast: number;
  readonly leaseSecondsAtMost: number;
  readonly waitSecondsAtMost: number;
  readonly claimsAtMost: number;
  readonly lostAttemptsAtMost: number;
  readonly heartbeatSeconds: number;
  readonly reservationSeconds: number;
  readonly lateModelSeconds: number;
  readonly stepsAtMost: number;
  readonly itemsAtMost: number;
  readonly labelsAtMost: number;
  readonly attemptsAtMost: number;
  readonly textAtMost: number;
  readonly messageAtMost: number;
  readonly jsonBytesAtMost: number;
  readonly entriesAtMost: number;
  readonly frameBytes: number;
  readonly metricNamesAtMost: number;
  readonly fragmentBytesAtMost: number;
  readonly uploadSeconds: number;
  readonly idempotencyHours: number;
  readonly overlapSecondsAtMost: number;
}

export const defaultDomainLimits: DomainLimits = {
  /** Below a second, a busy machine's pause is taken for a death. */
  leaseSecondsAtLeast: 1,
  leaseSecondsAtMost: 3_600,
  /** Under the minute after which proxies commonly cut an idle request. */
  waitSecondsAtMost: 50,
  claimsAtMost: 100,
  /** A step that took three machines down is not tried on a fourth. */
  lostAttemptsAtMost: 3,
  /** A device is ONLINE if it was seen this recently: a lease renewed at a third of a minute passes twice. */
  heartbeatSeconds: 60,
  /** How long a step that could make others leave waits for one place: several leases of a minute, and a checkpoint that is slow to write. */
  reservationSeconds: 300,
  /** How long a device that still trains when its federated job succeeds may hand in its model: the last epoch of a slow one. */
  lateModelSeconds: 600,
  stepsAtMost: 1_000,
  itemsAtMost: 200,
  labelsAtMost: 50,
  attemptsAtMost: 100,
  /** Characters of a name or a label. */
  textAtMost: 200,
  /** Characters of a description or a message. */
  messageAtMost: 10_000,
  /** Bytes of settings, of an output document, of properties. */
  jsonBytesAtMost: 262_144,
  /** Metrics, samples or log chunks in one report. */
  entriesAtMost: 1_000,
  /** Bytes of what one frame of a stream tells; a single entry may have more. Enough for a screen of log, and little enough to wait for each of thousands. */
  frameBytes: 262_144,
  /** Of a job, those of each step counted: more than anyone looks at, and a page of them is read in some milliseconds. */
  metricNamesAtMost: 2_000,
  fragmentBytesAtMost: 5 * 1024 ** 3,
  /** How long a signed URL is good for. */
  uploadSeconds: 3_600,
  idempotencyHours: 24 * 7,
  /** How long a key and the one that took its place may both be good. A month: more is no rotation. */
  overlapSecondsAtMost: 30 * 86_400,
};

/** What of the streams is kept, and for how long. Null: for ever. */
export interface RetentionRules {
  /** Days after a job's end. */
  readonly eventDays: number | null;
  readonly logDays: number | null;
  readonly telemetryDays: number | null;
  readonly metricDays: number | null;
  /** The newest bytes of each job's log that are kept, also while it runs. */
  readonly logBytes: number | null;
  /** Days after which, of telemetry, one sample a minute is kept of each attempt. */
  readonly thinTelemetryDays: number | null;
  /** Days after which, of metrics, about one of `metricsOneOf` points is kept. */
  readonly thinMetricDays: number | null;
  readonly metricsOneOf: number;
}

export const defaultRetention: RetentionRules = {
  // What people made their jobs for is kept until they delete it.
  eventDays: null,
  logDays: null,
  telemetryDays: null,
  metricDays: null,
  thinMetricDays: null,
  metricsOneOf: 10,
  /** A step that prints in a loop must not fill the disk for all others; no one reads more than this. */
  logBytes: 1024 ** 3,
  /** Nobody looks at the seconds of last month; the curve stays, with its peaks of memory. */
  thinTelemetryDays: 30,
};
