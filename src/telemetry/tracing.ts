/**
 * Traces by OpenTelemetry, sent by OTLP over HTTP. Loaded only if the environment names an
 * exporter's endpoint.
 *
 *     POST /graphql           the HTTP request, continuing its traceparent
 *       mutation createJob    the operation; operations of a socket are traces of their own
 *         store write         how long it waited, worked and committed
 *
 *     subscription jobLog     until the stream is open
 *     frame of jobLog         its own trace, linked to the subscription: a stream lasts
 *                             for hours, and a span must end
 *
 * Names and types of operations are recorded. Documents and variables, which may contain secrets,
 * never are.
 */
import {
  type Context,
  context,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { TraceParent } from '../server/watch/call.ts';
import type { OperationAbout, SpanLink, Traces } from '../server/watch/traces.ts';
import type { Store } from '../store/store.ts';
import type { TraceSettings } from './trace-settings.ts';
import { traceWrites } from './traced-store.ts';

export interface Tracing {
  readonly traces: Traces;
  /** The same store, with a span for each write. */
  watch(store: Store): Store;
  /** Sends the remaining spans and ends. */
  close(): Promise<void>;
}

/** The most that an unresponsive exporter may delay the gateway's exit. */
const LAST_SPANS_MS = 2_000;

export function startTracing(settings: TraceSettings, version: string): Tracing {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const named = resourceFromAttributes({ 'service.name': 'trainyard', 'service.version': version });
  const provider = new TracerProvider({
    resource: defaultResource()
      .merge(named)
      .merge(detectResources({ detectors: [envDetector] })),
    sampler: samplerOf(settings),
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ timeoutMillis: LAST_SPANS_MS }) })],
  });
  const tracer = provider.getTracer('trainyard', version);
  return {
    traces: tracesBy(tracer),
    watch: (store) => traceWrites(store, tracer),
    async close() {
      await provider.shutdown().catch(() => {});
      context.disable();
    },
  };
}

function samplerOf({ sampler, ratio }: TraceSettings): Sampler {
  const root = sampler.endsWith('always_off')
    ? new AlwaysOffSampler()
    : sampler.endsWith('traceidratio')
      ? new TraceIdRatioBasedSampler(ratio)
      : new AlwaysOnSampler();
  return sampler.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root;
}

function tracesBy(tracer: Tracer): Traces {
  return {
    request({ method, route, id, parent }, work, status) {
      const attributes = { 'http.request.method': method, 'http.route': route, 'trainyard.request_id': id };
      const options = { kind: SpanKind.SERVER, attributes };
      return tracer.startActiveSpan(`${method} ${route}`, options, contextOf(parent), async (span) => {
        try {
          await work();
        } finally {
          if (status() > 0) span.setAttribute('http.response.status_code', status());
          if (status() >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
          span.end();
        }
      });
    },
    operation(about, work, codeOf) {
      return tracer.startActiveSpan(`${about.type} ${about.field}`, { attributes: attributesOf(about) }, async (span) => {
        try {
          const result = await work(span.spanContext());
          const code = codeOf(result);
          if (code !== 'OK') span.setAttribute('error.type', code);
          if (code === 'INTERNAL_ERROR' || code === 'UNAVAILABLE') span.setStatus({ code: SpanStatusCode.ERROR });
          return result;
        } finally {
          span.end();
        }
      });
    },
    frame(about, subscription, work) {
      const options = { attributes: attributesOf(about), links: linksTo(subscription) };
      return tracer.startActiveSpan(`frame of ${about.field}`, options, ROOT_CONTEXT, async (span) => {
        try {
          return await work();
        } finally {
          span.end();
        }
      });
    },
  };
}

const attributesOf = ({ type, name, field }: OperationAbout) => ({
  'graphql.operation.type': type,
  ...(name === null ? {} : { 'graphql.operation.name': name }),
  'trainyard.operation': field,
});

/** A link is a span's context, which `operation` passed to its work. */
const linksTo = (subscription: SpanLink) => [{ context: subscription as SpanContext }];

function contextOf(parent: TraceParent | null): Context {
  if (!parent) return ROOT_CONTEXT;
  const { traceId, spanId, isSampled } = parent;
  const traceFlags = isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}
