/** The metrics of several jobs in one stream. Its position is one in the stream of each job. */
import { topics } from '../domain/core/change.ts';
import type { Domain } from '../domain/core/domain.ts';
import { decodeJointCursor, encodeJointCursor, type Positions } from '../domain/core/joint-cursors.ts';
import type { Waker } from '../domain/core/waker.ts';
import type { Optional } from '../store/optional.ts';
import { type Range, readRange } from '../store/queries/ranges.ts';
import { readMetricPoints } from '../store/queries/streams.ts';
import type { MetricPointRow } from '../store/schema/tables.ts';
import { type Batch, type Frame, frames } from './frames.ts';
import type { Pulled } from './pull.ts';
import { hasEnded, rowsAtMost } from './streams.ts';

export interface MetricsOfJobs {
  readonly jobIds: readonly string[];
  /** Only these metrics. */
  readonly names?: Optional<readonly string[]>;
  readonly after?: Optional<string>;
}

/** A position, whose text tells it from others. */
class Place {
  readonly positions: Positions;
  constructor(positions: Positions) {
    this.positions = positions;
  }
  toString(): string {
    return [...this.positions.values()].join(' ');
  }
}

/**
 * The frames of these jobs, until all have ended or are deleted and everything is sent. Throws
 * BAD_REQUEST for a cursor that is not of these streams.
 */
export async function metricsOfJobs(domain: Domain, wakeups: Waker, of: MetricsOfJobs): Promise<Pulled<Frame<MetricPointRow>>> {
  const { jobIds, names = null } = of;
  const after = new Place(await decodeJointCursor(domain, of.after, jobIds));
  return frames<MetricPointRow, Place>(
    domain,
    wakeups,
    {
      cursorOf: ({ positions }) => encodeJointCursor(domain, positions),
      name: JSON.stringify(['metrics of jobs', jobIds, names]),
      // The end of a job is an event.
      topics: jobIds.flatMap((jobId) => [topics.metrics(jobId), topics.events(jobId)]),
      rowsAtMost: rowsAtMost('metric', domain.limits),
      read: (after, rows) => readJobs(domain, after.positions, { rows, names }),
    },
    after,
  );
}

/** Reads job after job until there are `rows`. A deleted job has nothing more. */
async function readJobs(
  domain: Domain,
  after: Positions,
  { rows: atMost, names }: { readonly rows: number; readonly names: readonly string[] | null },
): Promise<Batch<MetricPointRow, Place> | null> {
  const positions = new Map(after);
  const rows: MetricPointRow[] = [];
  let [read, missed, open, known] = [0, 0, 0, 0];
  let hasMore = false;
  for (const [jobId, position] of after) {
    // The status is read first: nothing is appended after a job was read as ended.
    const isOver = await hasEnded(domain, { jobId });
    if (isOver === null) continue;
    known += 1;
    if (!isOver) open += 1;
    const range = await readSome(domain, { jobId, after: position, rows: atMost - read });
    positions.set(jobId, range.upTo);
    for (const row of range.rows) if (names === null || names.includes(row.name)) rows.push(row);
    read += range.rows.length;
    missed += range.missed;
    hasMore ||= range.hasMore;
  }
  return known === 0 ? null : { rows, upTo: new Place(positions), hasMore, isOver: open === 0, read, missed };
}

/** Without room for rows, it only says whether there are some. */
async function readSome(
  { store, limits }: Domain,
  { jobId, after, rows }: { readonly jobId: string; readonly after: number; readonly rows: number },
): Promise<Range<MetricPointRow>> {
  const portion = { rows: Math.max(1, rows), bytes: limits.frameBytes };
  const range = await readRange(store.read, { jobId, kind: 'metric' }, after, () =>
    readMetricPoints(store.read, { jobId, after }, portion),
  );
  return rows > 0 || range.rows.length === 0 ? range : { rows: [], upTo: after, missed: 0, hasMore: true };
}
