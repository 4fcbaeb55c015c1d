/** How long the streams are kept (domain/core/limits.ts gives the reasons). */
import { defaultRetention, type RetentionRules } from '../domain/core/limits.ts';
import { bytes, duration, orOff, whole } from './kinds.ts';
import type { Setting } from './setting.ts';

function days(name: string, text: string, byDefault: number | null): Setting<number | null> {
  const setting = orOff(duration({ name, text, unit: 'd', byDefault: 0, atLeast: 1, atMost: 36_500 }));
  return { ...setting, byDefault };
}

export const retention = {
  eventDays: days('keep-events', 'how long the events of a job are kept after its end, in the feed too', defaultRetention.eventDays),
  logDays: days('keep-log', 'how long the log of a job is kept after its end', defaultRetention.logDays),
  telemetryDays: days(
    'keep-telemetry',
    'how long the telemetry of a job is kept after its end, and each sample of a device',
    defaultRetention.telemetryDays,
  ),
  metricDays: days(
    'keep-metrics',
    'how long the metric curves of a job are kept after its end; the newest values stay',
    defaultRetention.metricDays,
  ),
  logBytes: {
    ...orOff(
      bytes({
        name: 'log-size',
        text: 'size of the log of one job, also while it runs; beyond that its oldest chunks are deleted',
        byDefault: 0,
        atLeast: 65_536,
        atMost: 1024 ** 5,
      }),
    ),
    byDefault: defaultRetention.logBytes,
  },
  thinTelemetryDays: days(
    'thin-telemetry',
    'age at which each attempt and device keeps one sample a minute, the one with the most memory',
    defaultRetention.thinTelemetryDays,
  ),
  thinMetricDays: days(
    'thin-metrics',
    'age at which metric curves are thinned; their ends and peaks stay',
    defaultRetention.thinMetricDays,
  ),
  metricsOneOf: whole({
    name: 'thin-metrics-to',
    text: 'a thinned curve keeps about one in this many points',
    byDefault: defaultRetention.metricsOneOf,
    atLeast: 2,
    atMost: 1_000,
  }),
} as const satisfies Readonly<Record<keyof RetentionRules, Setting>>;
