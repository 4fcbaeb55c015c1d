import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Count } from '../../instruments/instruments.ts';
import { type Call, readTraceParent } from './call.ts';
import type { ServerInstruments } from './instruments.ts';
import type { Log } from './log.ts';
import type { Traces } from './traces.ts';

/** The first part of the paths that are something here: what a request is counted by. All others are one. */
const ENDPOINTS: ReadonlySet<string> = new Set(['graphql', 'fragments', 'health', 'metrics']);

/** Sees every HTTP request from its beginning to its answer: counts it, logs it and traces it. */
export class RequestWatch {
  readonly #log: Log;
  readonly #instruments: ServerInstruments;
  readonly #traces: Traces | null;
  readonly #counts = new Map<string, Map<number, Count>>();

  constructor({
    log,
    instruments,
    traces,
  }: { readonly log: Log; readonly instruments: ServerInstruments; readonly traces: Traces | null }) {
    this.#log = log;
    this.#instruments = instruments;
    this.#traces = traces;
  }

  /** `work` answers, errors included. What goes on after it (a stream, the rest of a download) is none of the request's time. */
  async run(request: IncomingMessage, response: ServerResponse, call: Call, path: string, work: () => Promise<void>): Promise<void> {
    const began = performance.now();
    const status = () => (response.headersSent ? response.statusCode : 0);
    const method = request.method ?? '';
    if (this.#traces) {
      const about = { method, route: `/${endpointOf(path)}`, id: call.id, parent: readTraceParent(request.headers.traceparent) };
      await this.#traces.request(about, work, status);
    } else {
      await work();
    }
    this.#countOf(endpointOf(path), status()).add();
    if (!this.#log.has('debug')) return;
    const ms = Math.round((performance.now() - began) * 10) / 10;
    // Without the query: that of a fragment is signed, and that of a GET has the variables.
    this.#log.debug('A request was answered.', { requestId: call.id, method, path: path.slice(0, 200), status: status() || 'gone', ms });
  }

  #countOf(endpoint: string, status: number): Count {
    let byStatus = this.#counts.get(endpoint);
    if (!byStatus) {
      byStatus = new Map();
      this.#counts.set(endpoint, byStatus);
    }
    let count = byStatus.get(status);
    if (!count) {
      count = this.#instruments.requests.of({ door: endpoint, status: status === 0 ? 'gone' : String(status) });
      byStatus.set(status, count);
    }
    return count;
  }
}

function endpointOf(path: string): string {
  const end = path.indexOf('/', 1);
  const first = end < 0 ? path.slice(1) : path.slice(1, end);
  return ENDPOINTS.has(first) ? first : 'other';
}
