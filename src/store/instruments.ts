/** Metrics of a store's writes, with the same names on both databases. */
import { stat } from 'node:fs/promises';
import { Counter, Counters, Gauge, Histogram, type Instrument } from '../instruments/instruments.ts';

const GROUP_SIZES = [1, 2, 5, 10, 20, 50, 100, 200];

export class StoreInstruments {
  readonly writes = new Counters<'outcome'>({
    name: 'trainyard_store_writes_total',
    help: 'Writes that were committed, or undone because of a refusal or an error',
  });
  readonly writeSeconds = new Histogram({
    name: 'trainyard_store_write_seconds',
    help: 'From the moment a write was asked for until it was durable',
  });
  readonly queueSeconds = new Histogram({
    name: 'trainyard_store_queue_seconds',
    help: 'How long a write waited before it began: for the one writer of SQLite, for a connection of PostgreSQL',
  });
  readonly commitSeconds = new Histogram({
    name: 'trainyard_store_commit_seconds',
    help: 'What COMMIT took: on SQLite this is the fsync, on PostgreSQL the round trip with it',
  });
  readonly commitWrites = new Histogram({
    name: 'trainyard_store_commit_writes',
    help: 'How many writes shared one commit and its fsync; always 1 on PostgreSQL',
    bounds: GROUP_SIZES,
  });
  readonly retries = new Counter({
    name: 'trainyard_store_retries_total',
    help: 'Transactions of PostgreSQL that were run again after a conflict or on another connection',
  });
  readonly troubles = new Counter({
    name: 'trainyard_store_troubles_total',
    help: 'Writes that the database or its disk would not take',
  });
  readonly committed = this.writes.of({ outcome: 'committed' });
  readonly undone = this.writes.of({ outcome: 'undone' });
  readonly #gauges: readonly Gauge[];

  constructor(gauges: readonly Gauge[]) {
    this.#gauges = gauges;
  }

  all(): readonly Instrument[] {
    const { writes, writeSeconds, queueSeconds, commitSeconds, commitWrites, retries, troubles } = this;
    return [writes, writeSeconds, queueSeconds, commitSeconds, commitWrites, retries, troubles, ...this.#gauges];
  }
}

export const queueDepth = (look: () => number): Gauge =>
  new Gauge({ name: 'trainyard_store_queue_depth', help: 'Writes that wait to begin' }, look);

/** Gauges of a SQLite file. */
export function fileGauges(file: string): readonly Gauge[] {
  const sizeOf = async (path: string) => (await stat(path).catch(() => null))?.size ?? 0;
  return [
    new Gauge({ name: 'trainyard_store_file_bytes', help: 'Size of the SQLite file' }, () => sizeOf(file)),
    new Gauge({ name: 'trainyard_store_wal_bytes', help: 'Size of the write-ahead log of SQLite' }, () => sizeOf(`${file}-wal`)),
  ];
}

/** Gauges of the connections to PostgreSQL. */
export function poolGauges(
  pool: { readonly totalCount: number; readonly idleCount: number },
  { isWireOpen, isElected }: { isWireOpen(): boolean; isElected(): boolean },
): readonly Gauge[] {
  return [
    new Gauge({ name: 'trainyard_store_connections', help: 'Connections of the pool to PostgreSQL, by what they are doing' }, () => [
      { labels: { state: 'busy' }, value: pool.totalCount - pool.idleCount },
      { labels: { state: 'idle' }, value: pool.idleCount },
    ]),
    new Gauge(
      {
        name: 'trainyard_store_wire_open',
        help: '1 while the connection is open on which gateways wake each other; 0: streams poll every 5 s',
      },
      () => (isWireOpen() ? 1 : 0),
    ),
    new Gauge(
      {
        name: 'trainyard_store_elected',
        help: '1 at the gateway that keeps time and gives events their positions for all gateways of the database',
      },
      () => (isElected() ? 1 : 0),
    ),
  ];
}
