/**
 * Ranges of streams: what is stored after a number, with how many entries retention has removed from the same range (P8).
 *
 * Retention may run between any two statements here, and a count must be exact all the same: an entry is either read or counted, and never
 * both. A job's stream is numbered without holes when it is written. So where thinning leaves holes, what a read does not find between two of its rows is
 * gone; and where whatever came first is removed first, the bounds that are read after the rows say how many went before the first of them.
 */
import type { StreamKind } from '../../domain/core/vocabulary.ts';
import { feedOfAllJobs } from '../schema/streams.ts';
import type { EventRow } from '../schema/tables.ts';
import type { Cut, Portion } from '../statements/portions.ts';
import type { Queries } from '../store.ts';
import { countGaps } from './gaps.ts';
import { type OfFeed, readFeed, streamBounds } from './streams.ts';

export interface Range<R> {
  readonly rows: readonly R[];
  /** The number up to which everything has been read or counted. */
  readonly upTo: number;
  readonly hasMore: boolean;
  /** Entries between the number asked for and `upTo` that retention has removed. */
  readonly missed: number;
}

/** Streams of which entries between others are removed; of the rest only the oldest are. */
const thinnedKinds: readonly StreamKind[] = ['metric', 'telemetry'];

/**
 * A range of one of a job's streams: `read` reads a portion of it after the number. Of a kind that is thinned it reads every row, of the others it may
 * leave out what is not wanted.
 */
export async function readRange<R extends { readonly seq: number }>(
  queries: Queries,
  { jobId, kind }: { jobId: string; kind: StreamKind },
  after: number,
  read: () => Promise<Cut<R>>,
): Promise<Range<R>> {
  const { rows, hasMore } = await read();
  const first = rows[0]?.seq;
  const last = rows.at(-1)?.seq;
  if (last !== undefined && first === after + 1 && !thinnedKinds.includes(kind)) return { rows, hasMore, upTo: last, missed: 0 };
  if (last !== undefined && thinnedKinds.includes(kind)) return { rows, hasMore, upTo: last, missed: last - after - rows.length };
  const [bounds] = await queries.run(streamBounds, { jobId, kind });
  const gone = Math.max(after, Math.min(bounds?.first ?? 1, first ?? Number.POSITIVE_INFINITY) - 1);
  return { rows, hasMore, upTo: last ?? gone, missed: gone - after };
}

/** A range of the feed across jobs. What is gone is counted whatever its type was: that is gone as well. */
export async function readFeedRange(queries: Queries, of: OfFeed, portion: Portion): Promise<Range<EventRow>> {
  const { after, projectId } = of;
  const found = await readFeed(queries, of, portion);
  const last = found.rows.at(-1)?.position;
  if (last !== undefined && last - after === found.rows.length) return { ...found, upTo: last, missed: 0 };
  let [seen] = await queries.run(streamBounds, { jobId: feedOfAllJobs, kind: 'event' });
  if ((seen?.thinned ?? 0) <= after) return { ...found, upTo: last ?? after, missed: 0 };
  for (;;) {
    // The feed's numbers have holes of other kinds too, so rows and gaps must be of one moment: one in which nothing was removed.
    const before = seen;
    const { rows, hasMore } = await readFeed(queries, of, portion);
    const end = rows.at(-1)?.position ?? after;
    const upTo = hasMore ? end : Math.max(end, before?.thinned ?? 0);
    const missed = await countGaps(queries, { projectId, after, upTo });
    [seen] = await queries.run(streamBounds, { jobId: feedOfAllJobs, kind: 'event' });
    if (seen?.removed === before?.removed) return { rows, hasMore, upTo, missed };
  }
}
