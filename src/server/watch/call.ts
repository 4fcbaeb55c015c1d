/** The identity of a request in its answer, the log and the traces. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export type Transport = 'http' | 'sse' | 'websocket';

export interface Call {
  /** The client's own, where it sent one that can be one; quoted in the answer's X-Request-Id, in the log, and in INTERNAL_ERROR. */
  readonly id: string;
  readonly transport: Transport;
}

/** A span of another program that this request is a part of (W3C Trace Context). */
export interface TraceParent {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

/** Printable, of a sensible length, and nothing that could be a key that somebody put into the wrong header. */
const SANE_ID = /^(?!tyk_|lease_)[\w.:-]{8,128}$/;
const TRACE_PARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** By its X-Request-Id, by the trace that it is a part of, or by an id that is made for it. */
export function callOf({ headers }: IncomingMessage, transport: Transport): Call {
  const given = headers['x-request-id'];
  if (typeof given === 'string' && SANE_ID.test(given)) return { id: given, transport };
  return { id: readTraceParent(headers.traceparent)?.traceId ?? randomUUID(), transport };
}

/** Null for what is no traceparent: it is left out, as the specification has it. */
export function readTraceParent(header: string | readonly string[] | undefined): TraceParent | null {
  if (typeof header !== 'string') return null;
  const [, traceId = '', spanId = '', flags = ''] = TRACE_PARENT.exec(header) ?? [];
  if (/^0*$/.test(traceId) || /^0*$/.test(spanId) || header.startsWith('ff')) return null;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
