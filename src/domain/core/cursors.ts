/**
 * Cursors: positions in a stream of this store. The text names the store and the stream. So a
 * cursor of another store, of another stream, or from after the backup that was restored is refused
 * instead of misread (P8).
 */
import { streamBounds } from '../../store/queries/streams.ts';
import { deviceChanges, feedOfAllJobs } from '../../store/schema/streams.ts';
import type { Domain } from './domain.ts';
import { badRequest } from './request-refusals.ts';
import type { StreamKind } from './vocabulary.ts';

export interface StreamName {
  /** A stream of a job, the feed of events across jobs, or a live list: of jobs, or of devices. */
  readonly kind: StreamKind | 'feed' | 'list' | 'devices';
  /** '' for the feed. A live list has a hash of what it lists. */
  readonly jobId: string;
}

/** The beginning of a line of a log, which may be within a chunk. */
export interface LineStart {
  readonly stepNumber: number;
  readonly attempt: number;
  readonly line: number;
}

export const feed: StreamName = { kind: 'feed', jobId: feedOfAllJobs };

/** A position in a stream: after the entry with this number. */
export interface StreamPlace {
  readonly seq: number;
  /** Of a log: the line that begins in the next entry. */
  readonly line: LineStart | null;
  /** Of a live list: where in its beginning it is. Empty: past it. */
  readonly rest: string;
}

export function encodeCursor(
  { store }: Domain,
  { kind, jobId, seq, line, rest }: StreamName & Pick<StreamPlace, 'seq'> & Partial<StreamPlace>,
): string {
  const within = line ? `.${line.stepNumber}.${line.attempt}.${line.line}` : rest ? `~${rest}` : '';
  return Buffer.from(`${store.identity}.${kind}.${jobId}.${seq}${within}`).toString('base64url');
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

/** The same, and where in the next entries the cursor stands. */
export async function decodePlace(
  domain: Domain,
  cursor: string,
  stream: StreamName,
  argument: 'after' | 'before' = 'after',
): Promise<StreamPlace> {
  const { read, identity, parent } = domain.store;
  const [bounds] = await read.run(streamBounds, numbersOf(stream));
  const own = parse(cursor, identity, stream);
  if (own !== null && own.seq <= (bounds?.last ?? 0)) return own;
  const inherited = parent === null ? null : parse(cursor, parent, stream);
  if (inherited !== null && inherited.seq <= (bounds?.inherited ?? 0)) return inherited;
  throw badRequest.foreignStreamCursor(argument);
}

/** Where the numbers of a stream are counted. A live list of jobs has those of the feed. */
function numbersOf({ kind, jobId }: StreamName): { jobId: string; kind: StreamKind } {
  if (kind === 'devices') return { jobId: deviceChanges, kind: 'event' };
  return kind === 'feed' || kind === 'list' ? { jobId: feedOfAllJobs, kind: 'event' } : { jobId, kind };
}

const NUMBER = '(0|[1-9]\\d{0,15})';
const places = new RegExp(`^${NUMBER}(?:\\.${NUMBER}\\.${NUMBER}\\.${NUMBER}|~([\\w~]+))?$`);

function parse(cursor: string, identity: string, { kind, jobId }: StreamName): StreamPlace | null {
  const text = Buffer.from(cursor, 'base64url').toString();
  const start = `${identity}.${kind}.${jobId}.`;
  const [, seq, stepNumber, attempt, line, rest = ''] = (text.startsWith(start) && places.exec(text.slice(start.length))) || [];
  if (seq === undefined || (line !== undefined && kind !== 'log') || (rest !== '' && kind !== 'list' && kind !== 'devices')) return null;
  const at = line === undefined ? null : { stepNumber: Number(stepNumber), attempt: Number(attempt), line: Number(line) };
  return { seq: Number(seq), line: at, rest };
}
