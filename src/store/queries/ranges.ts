/**
 * Ranges of streams: the entries stored after a number, and the number of entries that retention
 * has removed from the same range (P8).
 *
 * Retention may run between any two statements here. The count must still be exact: each entry is
 * either read or counted, never both. The stream of a job is numbered without gaps when it is
 * written. In a stream that is thinned, every number missing between two rows is a removed entry.
 * In other streams the oldest entries are removed first, so the bounds, read after the rows, tell
 * how many were removed before the first row.
 */
import type { StreamKind } from '../../domain/core/vocabulary.ts';
import { feedOfAllJobs } from '../schema/streams.ts';
import type { Cut } from '../statements/portions.ts';
import type { Queries } from '../store.ts';
import { countGaps } from './gaps.ts';
import { streamBounds } from './streams.ts';

export interface Range<R> {
  readonly rows: readonly R[];
  /** The number up to which everything has been read or counted. */
  readonly upTo: number;
  readonly hasMore: boolean;
  /** Removed entries between the number asked for and `upTo`. */
  readonly missed: number;
}

/** Streams that lose entries between others. The rest lose only their oldest ones. */
const thinnedKinds: readonly StreamKind[] = ['metric', 'telemetry'];

/**
 * A range of one stream of a job. `read` reads a portion of it after the number. For a kind that is
 * thinned it must return every row; for the others it may leave out rows that the filter drops.
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

/**
 * A range of the feed across jobs. `read` reads a portion of it after the position. Removed events
 * are counted whatever their type was, because the type is gone as well.
 */
export async function readFeedRange<R extends { readonly position: number }>(
  queries: Queries,
  { after, projectId }: { readonly after: number; readonly projectId: string | null },
  read: () => Promise<Cut<R>>,
): Promise<Range<R>> {
  const found = await read();
  const last = found.rows.at(-1)?.position;
  if (last !== undefined && last - after === found.rows.length) return { ...found, upTo: last, missed: 0 };
  let [seen] = await queries.run(streamBounds, { jobId: feedOfAllJobs, kind: 'event' });
  if ((seen?.thinned ?? 0) <= after) return { ...found, upTo: last ?? after, missed: 0 };
  for (;;) {
    // The feed's numbers also have other gaps. So rows and gaps must be read with no removal in
    // between.
    const before = seen;
    const { rows, hasMore } = await read();
    const end = rows.at(-1)?.position ?? after;
    const upTo = hasMore ? end : Math.max(end, before?.thinned ?? 0);
    const missed = await countGaps(queries, { projectId, after, upTo });
    [seen] = await queries.run(streamBounds, { jobId: feedOfAllJobs, kind: 'event' });
    if (seen?.removed === before?.removed) return { rows, hasMore, upTo, missed };
  }
}
