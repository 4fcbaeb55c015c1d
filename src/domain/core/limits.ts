/**
 * Limits of sizes and times. Each is a setting of the gateway. The reason for each default is next
 * to it.
 */
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
  readonly containerBytesAtMost: number;
  readonly entriesAtMost: number;
  readonly frameBytes: number;
  readonly metricNamesAtMost: number;
  readonly fragmentBytesAtMost: number;
  readonly codeBytesAtMost: number;
  readonly uploadSeconds: number;
  readonly idempotencyHours: number;
  readonly overlapSecondsAtMost: number;
}

export const defaultDomainLimits: DomainLimits = {
  /** Below a second, the pause of a busy machine would count as its death. */
  leaseSecondsAtLeast: 1,
  leaseSecondsAtMost: 3_600,
  /** Less than the minute after which most proxies cut an idle request. */
  waitSecondsAtMost: 50,
  claimsAtMost: 100,
  /** A step that lost three devices is not tried on a fourth. */
  lostAttemptsAtMost: 3,
  /**
   * A device is ONLINE if it was seen within this time: a lease renewed every 20 seconds may miss
   * two renewals.
   */
  heartbeatSeconds: 60,
  /**
   * How long a reservation waits for its device: several leases of a minute, and a checkpoint that
   * is slow to write.
   */
  reservationSeconds: 300,
  /**
   * How long a device that still trains after its federated job succeeded may submit its model: the
   * last epoch of a slow device.
   */
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
  /** Bytes of the containers of all steps that one change creates: 16 kB each for 1,000 steps. */
  containerBytesAtMost: 16 * 1024 ** 2,
  /** Metrics, samples or log chunks in one report. */
  entriesAtMost: 1_000,
  /**
   * Bytes of one frame of a stream; a single entry may exceed it. Enough for a screen of log, and
   * little enough to hold for thousands of streams.
   */
  frameBytes: 262_144,
  /**
   * Metrics of a job, counting each name per step: more than anyone reads, and a page of them is
   * read in a few milliseconds.
   */
  metricNamesAtMost: 2_000,
  fragmentBytesAtMost: 5 * 1024 ** 3,
  /** The archive of a job's code. A larger folder has data or an environment in it by mistake. */
  codeBytesAtMost: 100_000_000,
  /** How long a signed URL is valid. */
  uploadSeconds: 3_600,
  idempotencyHours: 24 * 7,
  /** How long a key and its replacement may both be valid. More than a month is not a rotation. */
  overlapSecondsAtMost: 30 * 86_400,
};

/** What is kept of streams, and for how long. Null: for ever. */
export interface RetentionRules {
  /** Days after the end of a job. */
  readonly eventDays: number | null;
  readonly logDays: number | null;
  readonly telemetryDays: number | null;
  readonly metricDays: number | null;
  /** The newest bytes of each job's log that are kept, also while the job runs. */
  readonly logBytes: number | null;
  /** Days after which one telemetry sample per minute of each attempt is kept. */
  readonly thinTelemetryDays: number | null;
  /** Days after which about one of `metricsOneOf` metric points is kept. */
  readonly thinMetricDays: number | null;
  readonly metricsOneOf: number;
}

export const defaultRetention: RetentionRules = {
  // The results of jobs are kept until they are deleted.
  eventDays: null,
  logDays: null,
  telemetryDays: null,
  metricDays: null,
  thinMetricDays: null,
  metricsOneOf: 10,
  /**
   * A step that prints in a loop must not fill the disk for all others, and no one reads more than
   * this.
   */
  logBytes: 1024 ** 3,
  /** Nobody needs the seconds of last month. The curve and its memory peaks stay. */
  thinTelemetryDays: 30,
};
