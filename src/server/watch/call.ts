/** The identity of a request in its answer, the log and the traces. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export type Transport = 'http' | 'sse' | 'websocket';

export interface Call {
  /**
   * The client's own id, if it sent a usable one. It is in the X-Request-Id of the answer, in the
   * log and in INTERNAL_ERROR.
   */
  readonly id: string;
  readonly transport: Transport;
}

/** A span of another program that this request is a part of (W3C Trace Context). */
export interface TraceParent {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

/** Printable, and not too long. Nothing that could be a key sent in the wrong header. */
const SANE_ID = /^(?!tyk_|lease_)[\w.:-]{8,128}$/;
const TRACE_PARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** The id is that of X-Request-Id, else the id of the trace, else a new one. */
export function callOf({ headers }: IncomingMessage, transport: Transport): Call {
  const given = headers['x-request-id'];
  if (typeof given === 'string' && SANE_ID.test(given)) return { id: given, transport };
  return { id: readTraceParent(headers.traceparent)?.traceId ?? randomUUID(), transport };
}

/** Null for an invalid traceparent: the specification says to ignore it. */
export function readTraceParent(header: string | readonly string[] | undefined): TraceParent | null {
  if (typeof header !== 'string') return null;
  const [, traceId = '', spanId = '', flags = ''] = TRACE_PARENT.exec(header) ?? [];
  if (/^0*$/.test(traceId) || /^0*$/.test(spanId) || header.startsWith('ff')) return null;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
