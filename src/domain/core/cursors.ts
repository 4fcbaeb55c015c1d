/**
 * Cursors: positions in a stream of this store. The text names the store and the stream. So a
 * cursor of another store, of another stream, or from after the backup that was restored is refused
 * instead of misread (P8).
 */
import { streamBounds } from '../../store/queries/streams.ts';
import { feedOfAllJobs } from '../../store/schema/streams.ts';
import type { Domain } from './domain.ts';
import { badRequest } from './request-refusals.ts';
import type { StreamKind } from './vocabulary.ts';

export interface StreamName {
  /** One of the four streams of a job, or the feed of events across jobs. */
  readonly kind: StreamKind | 'feed';
  /** '' for the feed. */
  readonly jobId: string;
}

export const feed: StreamName = { kind: 'feed', jobId: feedOfAllJobs };

export function encodeCursor({ store }: Domain, { kind, jobId, seq }: StreamName & { readonly seq: number }): string {
  return Buffer.from(`${store.identity}.${kind}.${jobId}.${seq}`).toString('base64url');
}

/**
 * Returns the number to continue after. Without a cursor it is the beginning. Throws BAD_REQUEST
 * for a cursor that is not of this stream. A cursor of the store that this one was restored from is
 * valid if it is from before the backup: later numbers belong to other entries here.
 */
export async function decodeCursor(domain: Domain, cursor: string | null | undefined, stream: StreamName): Promise<number> {
  if (cursor === null || cursor === undefined) return 0;
  const { read, identity, parent } = domain.store;
  const kind = stream.kind === 'feed' ? 'event' : stream.kind;
  const [bounds] = await read.run(streamBounds, { jobId: stream.jobId, kind });
  const own = parse(cursor, identity, stream);
  if (own !== null && own <= (bounds?.last ?? 0)) return own;
  const inherited = parent === null ? null : parse(cursor, parent, stream);
  if (inherited !== null && inherited <= (bounds?.inherited ?? 0)) return inherited;
  throw badRequest.foreignStreamCursor();
}

function parse(cursor: string, identity: string, { kind, jobId }: StreamName): number | null {
  const text = Buffer.from(cursor, 'base64url').toString();
  const start = `${identity}.${kind}.${jobId}.`;
  const number = text.startsWith(start) ? text.slice(start.length) : '';
  return /^(0|[1-9]\d{0,15})$/.test(number) ? Number(number) : null;
}
