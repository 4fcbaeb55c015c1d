/**
 * Tracing is configured by OpenTelemetry's own variables, which operators use for all their
 * programs.
 */
export interface TraceSettings {
  /** The value of OTEL_TRACES_SAMPLER. */
  readonly sampler: string;
  /** The value of OTEL_TRACES_SAMPLER_ARG: the share of traces that is kept. */
  readonly ratio: number;
}

/**
 * Null if no exporter is configured: then nothing of tracing is loaded. The exporter reads its
 * endpoint, headers and timeouts itself.
 */
export function readTraceSettings(env: Readonly<Record<string, string | undefined>>): TraceSettings | null {
  const endpoint = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || env.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (!endpoint || env.OTEL_SDK_DISABLED === 'true' || env.OTEL_TRACES_EXPORTER === 'none') return null;
  const ratio = Number(env.OTEL_TRACES_SAMPLER_ARG ?? 1);
  return { sampler: env.OTEL_TRACES_SAMPLER || 'parentbased_always_on', ratio: ratio >= 0 && ratio <= 1 ? ratio : 1 };
}
