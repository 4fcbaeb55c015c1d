/** The server's metrics: requests, operations, sockets, streams, frames and files. */
import { Counter, Counters, Histograms, type Instrument, Level, Levels } from '../../instruments/instruments.ts';

export class ServerInstruments {
  readonly requests = new Counters<'door' | 'status'>({
    name: 'trainyard_http_requests_total',
    help: 'HTTP requests by endpoint and status; gone: the client disconnected before the answer',
  });
  readonly operations = new Counters<'type' | 'operation' | 'code'>({
    name: 'trainyard_operations_total',
    help: 'GraphQL operations by type, root field and the code of the first error; OK: no error. A refusal of a mutation is data, so OK',
  });
  readonly operationSeconds = new Histograms<'type' | 'operation'>({
    name: 'trainyard_operation_seconds',
    help: 'Duration of queries and mutations; claimNextSteps waits on purpose',
  });
  readonly activeOperations = new Level({ name: 'trainyard_operations_active', help: 'Queries and mutations under way' });
  readonly faults = new Counter({
    name: 'trainyard_faults_total',
    help: 'Errors answered as INTERNAL_ERROR; the log has each under the id in its answer',
  });
  readonly limits = new Counters<'limit'>({
    name: 'trainyard_limit_refusals_total',
    help: 'Refusals because a limit was exceeded, by limit',
  });
  readonly sockets = new Level({ name: 'trainyard_sockets_open', help: 'WebSockets that are open' });
  readonly closedSockets = new Counters<'code'>({
    name: 'trainyard_sockets_closed_total',
    help: 'WebSockets that were closed, by close code',
  });
  readonly streams = new Levels<'stream' | 'transport'>({
    name: 'trainyard_streams_open',
    help: 'Subscriptions that are open',
  });
  readonly frames = new Counters<'stream' | 'transport'>({
    name: 'trainyard_frames_total',
    help: 'Frames of subscriptions that were sent',
  });
  readonly frameLag = new Histograms<'stream'>({
    name: 'trainyard_frame_lag_seconds',
    help: 'From the notification of a commit until its frame was sent; includes the time that a slow consumer takes',
  });
  readonly dropped = new Counter({
    name: 'trainyard_consumers_dropped_total',
    help: 'Consumers that accepted none of their unsent bytes for too long, and were disconnected',
  });
  readonly fragmentBytes = new Counters<'direction'>({
    name: 'trainyard_fragment_bytes_total',
    help: 'Bytes of fragments that were received or sent',
  });
  readonly fragmentTransfers = new Counters<'direction' | 'status'>({
    name: 'trainyard_fragment_transfers_total',
    help: 'Uploads and downloads of fragments by status; gone: interrupted',
  });
  readonly tunnels = new Level({ name: 'trainyard_tunnels_open', help: 'Agents that have a tunnel to this gateway' });

  all(): readonly Instrument[] {
    return Object.values(this);
  }
}

/** Close codes with a meaning, here or in the protocol. Other codes count as `other`. */
const KNOWN_CODES: ReadonlySet<number> = new Set([
  1000, 1001, 1002, 1005, 1006, 1007, 1009, 1011, 1012, 1013, 4400, 4401, 4403, 4406, 4408, 4409, 4429,
]);

export const nameOfCode = (code: number): string => (KNOWN_CODES.has(code) ? String(code) : 'other');
