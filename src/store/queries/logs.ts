/** A step's log, backward and by line. Pages and streams that read it forward are in streams.ts. */
import { and, asc, desc, eq, gte, inArray, lt } from 'drizzle-orm';
import { cutStart } from '../../text/acceptable.ts';
import { countBreaks } from '../../text/lines.ts';
import { isWord } from '../schema/columns.ts';
import type { LogChunkRow, StepRow, StreamRow } from '../schema/tables.ts';
import { batch } from '../statements/batch.ts';
import { type Cut, type Portion, readPortion } from '../statements/portions.ts';
import { type Placeholder, type Queries, statement } from '../store.ts';
import { logSizesOfStepAfter, streamBounds } from './streams.ts';

const PAGE = { rows: 64, bytes: 1_048_576 };

/** A number behind every chunk. */
export const LOG_END = Number.MAX_SAFE_INTEGER;

interface Before {
  jobId: string;
  stepNumber: number;
  before: number;
}

const logSizesBefore = statement('log sizes before', (db, t, $: Placeholder<Before & { limit: number }>) =>
  db
    .select({ place: t.logChunks.seq, bytes: t.logChunks.size })
    .from(t.logChunks)
    .where(and(eq(t.logChunks.jobId, $('jobId')), eq(t.logChunks.stepNumber, $('stepNumber')), lt(t.logChunks.seq, $('before'))))
    .orderBy(desc(t.logChunks.seq))
    .limit($('limit')),
);
const logChunksBefore = statement('log chunks before', (db, t, $: Placeholder<Before & { first: number }>) =>
  db
    .select()
    .from(t.logChunks)
    .where(
      and(
        eq(t.logChunks.jobId, $('jobId')),
        eq(t.logChunks.stepNumber, $('stepNumber')),
        lt(t.logChunks.seq, $('before')),
        gte(t.logChunks.seq, $('first')),
      ),
    )
    .orderBy(asc(t.logChunks.seq)),
);

/** The last chunks before a number that fit the portion, oldest first. */
export const readLogBefore = (queries: Queries, of: Before, portion: Portion): Promise<Cut<LogChunkRow>> =>
  readPortion(
    portion,
    (limit) => queries.run(logSizesBefore, { ...of, limit }),
    (first) => queries.run(logChunksBefore, { ...of, first }),
  );

export interface TailAsked {
  readonly jobId: string;
  readonly stepNumber: number;
  readonly lines: number;
  readonly mostCharacters: number;
  /** Called with the bytes about to be read. If it throws, they are not read. */
  readonly hold?: (bytes: number) => void;
}

/**
 * The factor by which more is read than shown, because progress bars overwrite their lines for
 * hours.
 */
const READ_FOR_SHOWN = 4;

/**
 * The last lines of a step's log, over all its attempts and streams in the order written. Each line
 * is as its last write left it. At most `mostCharacters`, so the first line may be cut. A line
 * break at the very end starts no line.
 */
export async function readLogTail(queries: Queries, { jobId, stepNumber, lines, mostCharacters, hold }: TailAsked): Promise<string> {
  let text = '';
  let read = 0;
  let before: number = LOG_END;
  for (;;) {
    const { rows, hasMore } = await readLogBefore(queries, { jobId, stepNumber, before }, { ...PAGE, hold });
    before = rows[0]?.seq ?? 0;
    const earlier = rows.map((chunk) => chunk.text).join('');
    read += earlier.length;
    text = withoutOverwritten(earlier + text);
    const start = startOfTail(text, lines);
    const isEnough = start > 0 || text.length >= mostCharacters || read >= READ_FOR_SHOWN * mostCharacters;
    if (isEnough || !hasMore) return cutStart(text.slice(start).replaceAll('\r', ''), mostCharacters);
  }
}

/**
 * Cuts each line to its text after the last `\r` that text follows. The `\r` stays: the line may
 * have begun before this text, and the `\r` overwrites that part as well. At the end of a line,
 * `\r` belongs to the line break.
 */
function withoutOverwritten(text: string): string {
  return text
    .split('\n')
    .map((line) => {
      let end = line.length;
      while (line[end - 1] === '\r') end -= 1;
      return line.slice(Math.max(0, line.lastIndexOf('\r', end - 1)));
    })
    .join('\n');
}

/** Where the last lines of a text begin. 0 if it has no more lines than that. */
function startOfTail(text: string, lines: number): number {
  let from = text.endsWith('\n') ? text.length - 2 : text.length - 1;
  for (let line = 0; line < lines; line++) {
    const end = from < 0 ? -1 : text.lastIndexOf('\n', from);
    if (end === -1) return 0;
    if (line === lines - 1) return end + 1;
    from = end - 1;
  }
  return text.length;
}

/** A page that ends a log: at most this many chunks, and about as many bytes as any page. */
const END_ROWS = 1_000;
/** What one read of it takes: more than a hundred lines of usual length. */
const END_PORTION = { rows: 64, bytes: 65_536 };

export interface EndAsked {
  readonly jobId: string;
  readonly stepNumber: number;
  readonly lines: number;
  readonly hold: (bytes: number) => void;
}

/** The last chunks of a step's log: those in which its last lines begin, or a full page. */
export async function readLogEnd(queries: Queries, { jobId, stepNumber, lines, hold }: EndAsked): Promise<Cut<LogChunkRow>> {
  let chunks: LogChunkRow[] = [];
  let bytes = 0;
  for (;;) {
    const before = chunks[0]?.seq ?? LOG_END;
    const { rows, hasMore } = await readLogBefore(queries, { jobId, stepNumber, before }, { ...END_PORTION, hold });
    chunks = [...rows, ...chunks];
    for (const { size } of rows) bytes += size;
    const first = chunkOfLine(chunks, lines);
    if (first !== null) return { rows: chunks.slice(first), hasMore: hasMore || first > 0 };
    if (!hasMore || bytes >= PAGE.bytes || chunks.length >= END_ROWS) return { rows: chunks, hasMore };
  }
}

/** The index of the chunk in which the line begins that is this many from the end. */
function chunkOfLine(chunks: readonly LogChunkRow[], lines: number): number | null {
  let begun = 0;
  for (let i = chunks.length - 1; i >= 0; i--) {
    begun += beginsIn(chunks[i - 1], chunks[i]);
    if (begun >= lines) return i;
  }
  return null;
}

/** The number of lines that begin in a chunk. `earlier` is the one before it, if that was read. */
function beginsIn(earlier: LogChunkRow | undefined, chunk: LogChunkRow | undefined): number {
  if (chunk === undefined) return 0;
  const isLineStart = chunk.offset === 0 || (earlier?.attempt === chunk.attempt && earlier.text.endsWith('\n'));
  return countBreaks(chunk.text) - Number(chunk.text.endsWith('\n')) + Number(isLineStart);
}

const lineOfChunkFrom = statement(
  'line of chunk from',
  (db, t, $: Placeholder<{ jobId: string; stepNumber: number; from: number; before: number }>) =>
    db
      .select({ seq: t.logChunks.seq, attempt: t.logChunks.attempt, firstLine: t.logChunks.firstLine })
      .from(t.logChunks)
      .where(
        and(
          eq(t.logChunks.jobId, $('jobId')),
          eq(t.logChunks.stepNumber, $('stepNumber')),
          gte(t.logChunks.seq, $('from')),
          lt(t.logChunks.seq, $('before')),
        ),
      )
      .orderBy(asc(t.logChunks.seq))
      .limit(1),
);

/** A line of a step's log. */
export interface LineOfLog {
  readonly jobId: string;
  readonly stepNumber: number;
  readonly attempt: number;
  readonly line: number;
}

/** The number of the chunk before the one in which this line begins, or would begin. */
export async function numberBeforeLine(queries: Queries, of: LineOfLog): Promise<number> {
  const seq = await lastChunkBefore(queries, of);
  const { rows } = await readLogBefore(queries, { ...of, before: seq + 1 }, { rows: 1, bytes: PAGE.bytes });
  const [chunk] = rows;
  if (!chunk || chunk.attempt !== of.attempt || chunk.firstLine === null) return seq;
  const lineAfter = chunk.firstLine + countBreaks(chunk.text);
  return lineAfter > of.line || (lineAfter === of.line && !chunk.text.endsWith('\n')) ? seq - 1 : seq;
}

/**
 * The number of the last chunk whose first line is an earlier one, or 0. The numbers of lines grow
 * with those of chunks, so some twenty rows are read of a log of a million.
 */
async function lastChunkBefore(queries: Queries, { jobId, stepNumber, attempt, line }: LineOfLog): Promise<number> {
  const [bounds] = await queries.run(streamBounds, { jobId, kind: 'log' });
  let found = 0;
  let low = bounds?.first ?? 1;
  let high = (bounds?.last ?? 0) + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [chunk] = await queries.run(lineOfChunkFrom, { jobId, stepNumber, from: middle, before: high });
    if (chunk && (chunk.attempt < attempt || (chunk.attempt === attempt && (chunk.firstLine ?? 0) < line))) {
      found = chunk.seq;
      low = chunk.seq + 1;
    } else high = middle;
  }
  return found;
}

/** The line that a chunk begins in, if both are known. */
export const firstLineOf = statement('first line of', (db, t, $: Placeholder<{ jobId: string; seq: number }>) =>
  db
    .select({ firstLine: t.logChunks.firstLine })
    .from(t.logChunks)
    .where(and(eq(t.logChunks.jobId, $('jobId')), eq(t.logChunks.seq, $('seq')))),
);

/** The jobs among these whose logs have chunks without line numbers. */
export async function unnumberedAmong(queries: Queries, jobIds: readonly string[]): Promise<string[]> {
  return (await logsOfJobs(queries, jobIds)).filter(({ numbered, last }) => numbered < last).map(({ jobId }) => jobId);
}
const logsOfJobs = batch<Pick<StreamRow, 'jobId' | 'numbered' | 'last'>>('logs of jobs', (db, t, jobIds) =>
  db
    .select({ jobId: t.streams.jobId, numbered: t.streams.numbered, last: t.streams.last })
    .from(t.streams)
    .where(and(inArray(t.streams.jobId, jobIds), isWord(t.streams.kind, 'log'))),
);

export const logCountsOfSteps = batch<Pick<StepRow, 'id' | 'logCounts'>>('log counts of steps', (db, t, ids) =>
  db.select({ id: t.steps.id, logCounts: t.steps.logCounts }).from(t.steps).where(inArray(t.steps.id, ids)),
);

/** Whether a step has a stored chunk before a number, or after it. */
export async function hasLog(
  queries: Queries,
  of: { readonly jobId: string; readonly stepNumber: number },
  where: { readonly before: number } | { readonly after: number },
): Promise<boolean> {
  const found =
    'before' in where
      ? await queries.run(logSizesBefore, { ...of, before: where.before, limit: 1 })
      : await queries.run(logSizesOfStepAfter, { ...of, after: where.after, limit: 1 });
  return found.length > 0;
}
