/** The server's metrics: requests, operations, sockets, streams, frames and files. */
import { Counter, Counters, Histograms, type Instrument, Level, Levels } from '../../instruments/instruments.ts';

export class ServerInstruments {
  readonly requests = new Counters<'door' | 'status'>({
    name: 'trainyard_http_requests_total',
    help: 'HTTP requests by the door they came to and the status they were answered with; gone: the client left before',
  });
  readonly operations = new Counters<'type' | 'operation' | 'code'>({
    name: 'trainyard_operations_total',
    help: 'GraphQL operations by type, root field and the code of their first error; OK: none. Refusals of mutations are data, and OK',
  });
  readonly operationSeconds = new Histograms<'type' | 'operation'>({
    name: 'trainyard_operation_seconds',
    help: 'How long queries and mutations took; claimNextSteps waits on purpose',
  });
  readonly activeOperations = new Level({ name: 'trainyard_operations_active', help: 'Queries and mutations under way' });
  readonly faults = new Counter({
    name: 'trainyard_faults_total',
    help: 'Errors answered as INTERNAL_ERROR: each is in the log, under the id in its answer',
  });
  readonly limits = new Counters<'limit'>({
    name: 'trainyard_limit_refusals_total',
    help: 'What was refused for going beyond a limit, by the limit',
  });
  readonly sockets = new Level({ name: 'trainyard_sockets_open', help: 'WebSockets that are open' });
  readonly closedSockets = new Counters<'code'>({
    name: 'trainyard_sockets_closed_total',
    help: 'WebSockets that were closed, by the close code',
  });
  readonly streams = new Levels<'stream' | 'transport'>({
    name: 'trainyard_streams_open',
    help: 'Subscriptions that are open',
  });
  readonly frames = new Counters<'stream' | 'transport'>({
    name: 'trainyard_frames_total',
    help: 'Frames of subscriptions that left for their consumers',
  });
  readonly frameLag = new Histograms<'stream'>({
    name: 'trainyard_frame_lag_seconds',
    help: 'From the moment the gateway heard of a commit until the frame that tells of it had left; a consumer that takes its time counts too',
  });
  readonly dropped = new Counter({
    name: 'trainyard_consumers_dropped_total',
    help: 'Consumers that took nothing of what waited for them for too long, and were let go',
  });
  readonly fragmentBytes = new Counters<'direction'>({
    name: 'trainyard_fragment_bytes_total',
    help: 'Bytes of fragments that came in or went out',
  });
  readonly fragmentTransfers = new Counters<'direction' | 'status'>({
    name: 'trainyard_fragment_transfers_total',
    help: 'Uploads and downloads of fragments by the status they ended with; gone: broken off',
  });

  all(): readonly Instrument[] {
    return Object.values(this);
  }
}

/** Close codes with a meaning, here or in the protocol. Other codes count as `other`. */
const KNOWN_CODES: ReadonlySet<number> = new Set([
  1000, 1001, 1002, 1005, 1006, 1007, 1009, 1011, 1012, 1013, 4400, 4401, 4403, 4406, 4408, 4409, 4429,
]);

export const nameOfCode = (code: number): string => (KNOWN_CODES.has(code) ? String(code) : 'other');
