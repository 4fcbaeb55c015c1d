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

/** The beginning of a line of a log, which may be within a chunk. */
export interface LineStart {
  readonly stepNumber: number;
  readonly attempt: number;
  readonly line: number;
}

export const feed: StreamName = { kind: 'feed', jobId: feedOfAllJobs };

/** `at`: the cursor of a line, which begins in the entry after this number. */
export function encodeCursor({ store }: Domain, { kind, jobId, seq }: StreamName & { readonly seq: number }, at?: LineStart): string {
  const line = at ? `.${at.stepNumber}.${at.attempt}.${at.line}` : '';
  return Buffer.from(`${store.identity}.${kind}.${jobId}.${seq}${line}`).toString('base64url');
}

/**
 * Returns the number to continue after. Without a cursor it is the beginning. Throws BAD_REQUEST
 * for a cursor that is not of this stream. A cursor of the store that this one was restored from is
 * valid if it is from before the backup: later numbers belong to other entries here.
 */
export async function decodeCursor(
  domain: Domain,
  cursor: string | null | undefined,
  stream: StreamName,
  argument: 'after' | 'before' = 'after',
): Promise<number> {
  if (cursor === null || cursor === undefined) return 0;
  return (await decodePlace(domain, cursor, stream, argument)).seq;
}

interface Place {
  readonly seq: number;
  readonly line: LineStart | null;
}

/** The same, and where in a line of a log the cursor stands. */
export async function decodePlace(
  domain: Domain,
  cursor: string,
  stream: StreamName,
  argument: 'after' | 'before' = 'after',
): Promise<Place> {
  const { read, identity, parent } = domain.store;
  const kind = stream.kind === 'feed' ? 'event' : stream.kind;
  const [bounds] = await read.run(streamBounds, { jobId: stream.jobId, kind });
  const own = parse(cursor, identity, stream);
  if (own !== null && own.seq <= (bounds?.last ?? 0)) return own;
  const inherited = parent === null ? null : parse(cursor, parent, stream);
  if (inherited !== null && inherited.seq <= (bounds?.inherited ?? 0)) return inherited;
  throw badRequest.foreignStreamCursor(argument);
}

function parse(cursor: string, identity: string, { kind, jobId }: StreamName): Place | null {
  const text = Buffer.from(cursor, 'base64url').toString();
  const start = `${identity}.${kind}.${jobId}.`;
  const numbers = text.startsWith(start) ? text.slice(start.length).split('.') : [];
  if (!numbers.every((number) => /^(0|[1-9]\d{0,15})$/.test(number))) return null;
  const [seq, stepNumber, attempt, line] = numbers.map(Number);
  if (seq === undefined || numbers.length > 4) return null;
  if (stepNumber === undefined) return { seq, line: null };
  return kind !== 'log' || attempt === undefined || line === undefined ? null : { seq, line: { stepNumber, attempt, line } };
}
