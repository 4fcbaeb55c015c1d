import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Count } from '../../instruments/instruments.ts';
import { type Call, readTraceParent } from './call.ts';
import type { ServerInstruments } from './instruments.ts';
import type { Log } from './log.ts';
import type { Traces } from './traces.ts';

/** Requests are counted by the first part of their path. Other paths count as `other`. */
const ENDPOINTS: ReadonlySet<string> = new Set(['graphql', 'fragments', 'health', 'metrics']);

/** Counts, logs and traces every HTTP request. */
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

  /**
   * Runs `work`, which answers the request, errors included. A stream or a download that goes on
   * after it does not count towards the time of the request.
   */
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
    // Without the query string: it has the signature of a fragment, or the variables of a GET.
    this.#log.debug('A request was answered.', {
      requestId: call.id,
      method,
      path: withoutToken(path).slice(0, 200),
      status: status() || 'gone',
      ms,
    });
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

/** The path of a link to a running step has a token, and whoever has that could use it. */
const withoutToken = (path: string): string => path.replace(/^(\/jobs\/\w+\/http)~[^/]*/, '$1~…');

function endpointOf(path: string): string {
  const end = path.indexOf('/', 1);
  const first = end < 0 ? path.slice(1) : path.slice(1, end);
  return ENDPOINTS.has(first) ? first : 'other';
}
