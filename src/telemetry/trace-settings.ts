/** Traces are set by the names that OpenTelemetry gives to its settings, which operators have for all their programs alike. */
export interface TraceSettings {
  /** As OTEL_TRACES_SAMPLER names it. */
  readonly sampler: string;
  /** Of OTEL_TRACES_SAMPLER_ARG: which part of the traces is kept. */
  readonly ratio: number;
}

/** Null: no exporter is named, and nothing of tracing is loaded. The exporter reads its endpoint, headers and timeouts itself. */
export function readTraceSettings(env: Readonly<Record<string, string | undefined>>): TraceSettings | null {
  const endpoint = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || env.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (!endpoint || env.OTEL_SDK_DISABLED === 'true' || env.OTEL_TRACES_EXPORTER === 'none') return null;
  const ratio = Number(env.OTEL_TRACES_SAMPLER_ARG ?? 1);
  return { sampler: env.OTEL_TRACES_SAMPLER || 'parentbased_always_on', ratio: ratio >= 0 && ratio <= 1 ? ratio : 1 };
}
