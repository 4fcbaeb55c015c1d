/** The end of a step's log. Pages and streams of the log are in streams.ts. */
import { and, asc, desc, eq, gte, lt } from 'drizzle-orm';
import { cutStart } from '../../text/acceptable.ts';
import { readPortion } from '../statements/portions.ts';
import { type Placeholder, type Queries, statement } from '../store.ts';

const PAGE = { rows: 64, bytes: 1_048_576 };

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
const logTextsBefore = statement('log texts before', (db, t, $: Placeholder<Before & { first: number }>) =>
  db
    .select({ seq: t.logChunks.seq, text: t.logChunks.text })
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
  let before = Number.MAX_SAFE_INTEGER;
  for (;;) {
    const of = { jobId, stepNumber, before };
    const { rows, hasMore } = await readPortion(
      { ...PAGE, hold },
      (limit) => queries.run(logSizesBefore, { ...of, limit }),
      (first) => queries.run(logTextsBefore, { ...of, first }),
    );
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
