/** What of the streams is kept, and for how long (domain/core/limits.ts gives the reasons). */
import { defaultRetention, type RetentionRules } from '../domain/core/limits.ts';
import { bytes, duration, orOff, whole } from './kinds.ts';
import type { Setting } from './setting.ts';

function days(name: string, text: string, byDefault: number | null): Setting<number | null> {
  const setting = orOff(duration({ name, text, unit: 'd', byDefault: 0, atLeast: 1, atMost: 36_500 }));
  return { ...setting, byDefault };
}

export const retention = {
  eventDays: days(
    'keep-events',
    'how long after its end the events of a job are kept, their places in the feed included',
    defaultRetention.eventDays,
  ),
  logDays: days('keep-log', 'how long after its end the log of a job is kept', defaultRetention.logDays),
  telemetryDays: days('keep-telemetry', 'how long after its end the telemetry of a job is kept', defaultRetention.telemetryDays),
  metricDays: days(
    'keep-metrics',
    'how long after its end the curves of a job are kept; the newest values stay',
    defaultRetention.metricDays,
  ),
  logBytes: {
    ...orOff(
      bytes({
        name: 'log-size',
        text: 'of the log of one job, also while it runs: beyond that its oldest chunks go',
        byDefault: 0,
        atLeast: 65_536,
        atMost: 1024 ** 5,
      }),
    ),
    byDefault: defaultRetention.logBytes,
  },
  thinTelemetryDays: days(
    'thin-telemetry',
    'the age at which one sample a minute is kept of each attempt, the one with the most memory',
    defaultRetention.thinTelemetryDays,
  ),
  thinMetricDays: days('thin-metrics', 'the age at which curves are thinned, their ends and peaks kept', defaultRetention.thinMetricDays),
  metricsOneOf: whole({
    name: 'thin-metrics-to',
    text: 'of so many points of a thinned curve about one is kept',
    byDefault: defaultRetention.metricsOneOf,
    atLeast: 2,
    atMost: 1_000,
  }),
} as const satisfies Readonly<Record<keyof RetentionRules, Setting>>;
