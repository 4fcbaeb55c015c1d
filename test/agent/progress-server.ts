/**
 * A server that takes the reports and renewals of one lease by the contract's rules. A test can
 * lose or replace its answers.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { LogChunkInput, MetricInput, ReportProgressInput, TelemetryInput } from '../../src/client/generated.ts';

export type Fault =
  /** The request is carried out, but its answer never arrives. */
  | 'LOSE_ANSWER'
  /** Nothing is done, and the connection breaks. */
  | 'LOSE_REQUEST'
  /** Nothing is done: the rate limit refuses the request. */
  | 'TOO_FAST';

export interface ProgressServer {
  readonly url: string;
  /** The stored log. */
  readonly log: () => string;
  readonly chunks: LogChunkInput[];
  readonly metrics: MetricInput[];
  readonly telemetry: TelemetryInput[];
  readonly requests: string[];
  /** For the next requests, in order. Without one left: no faults. */
  readonly faults: Fault[];
  /** What the next answers add. */
  orders: { isCancelRequested: boolean; isPreempted: boolean; isDraining: boolean };
  /** The lease belongs to another device. */
  isStale: boolean;
  /** Metrics of this name are refused as invalid. */
  refusedName: string | null;
  /** Forgets the end of the log, like a store restored from a backup. */
  forgetLog(bytes: number): void;
  close(): void;
}

export async function startProgressServer(): Promise<ProgressServer> {
  let stored = Buffer.alloc(0);
  const points = new Set<string>();
  const state = {
    chunks: [] as LogChunkInput[],
    metrics: [] as MetricInput[],
    telemetry: [] as TelemetryInput[],
    requests: [] as string[],
    faults: [] as Fault[],
    orders: { isCancelRequested: false, isPreempted: false, isDraining: false },
    isStale: false,
    refusedName: null as string | null,
  };
  const lease = { token: 'lease_secret', attempt: 1, expiresAt: '2026-01-01T00:00:00.000Z' };

  function answer(operation: string, input: ReportProgressInput): object {
    if (state.isStale) return { __typename: 'StaleLeaseError', code: 'STALE_LEASE', message: 'Another attempt holds the step.' };
    if (operation === 'renewLease') return { __typename: 'RenewLeasePayload', lease, ...state.orders, cancelReason: 'enough' };
    if (input.metrics?.some(({ name }) => name === state.refusedName)) {
      return {
        __typename: 'InvalidInputError',
        code: 'INVALID_INPUT',
        message: 'No such name.',
        issues: [{ path: ['metrics', '0'], message: 'bad' }],
      };
    }
    for (const chunk of input.log ?? []) {
      if (chunk.offset > stored.length) break;
      const fresh = Buffer.from(chunk.text).subarray(stored.length - chunk.offset);
      if (fresh.length === 0) continue;
      stored = Buffer.concat([stored, fresh]);
      state.chunks.push(chunk);
    }
    for (const metric of input.metrics ?? []) {
      const key = `${metric.name} ${metric.iteration}`;
      if (points.has(key)) continue;
      points.add(key);
      state.metrics.push(metric);
    }
    state.telemetry.push(...(input.telemetry ?? []));
    return { __typename: 'ReportProgressPayload', lease, nextLogOffset: stored.length, ignoredMetrics: [], ...state.orders };
  }

  const server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    const { query, variables } = JSON.parse(body);
    const operation = /mutation (\w+)/.exec(query)?.[1] ?? '';
    state.requests.push(operation);
    const fault = state.faults.shift();
    if (fault === 'TOO_FAST') {
      const errors = [
        { message: 'Too fast.', extensions: { code: 'LIMIT_EXCEEDED', limit: 'keyRate', allowed: 1, asked: 1, retryAfterMs: 5 } },
      ];
      response.writeHead(429, { 'content-type': 'application/json', 'retry-after': '1' }).end(JSON.stringify({ errors }));
      return;
    }
    const data = fault === 'LOSE_REQUEST' ? {} : { [operation]: answer(operation, variables.input) };
    if (fault) request.socket.destroy();
    else response.setHeader('content-type', 'application/json').end(JSON.stringify({ data }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // it listens on a port
  return Object.assign(state, {
    url: `http://127.0.0.1:${port}`,
    log: () => stored.toString(),
    forgetLog(bytes: number) {
      stored = stored.subarray(0, stored.length - bytes);
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  });
}
