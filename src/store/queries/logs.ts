/** The end of a step's log. Pages and streams of it are in streams.ts. */
import { and, desc, eq, lt } from 'drizzle-orm';
import { cutStart } from '../../text/acceptable.ts';
import { type Placeholder, type Queries, statement } from '../store.ts';

const PAGE = 64;

const chunksBefore = statement(
  'log chunks before',
  (db, t, $: Placeholder<{ jobId: string; stepNumber: number; before: number; limit: number }>) =>
    db
      .select({ seq: t.logChunks.seq, text: t.logChunks.text })
      .from(t.logChunks)
      .where(and(eq(t.logChunks.jobId, $('jobId')), eq(t.logChunks.stepNumber, $('stepNumber')), lt(t.logChunks.seq, $('before'))))
      .orderBy(desc(t.logChunks.seq))
      .limit($('limit')),
);

/**
 * The last lines of a step's log, over all its attempts and streams as they were written; at most `mostCharacters`, of which the first line may be
 * cut. A line break at the very end starts no line.
 */
export async function readLogTail(
  queries: Queries,
  { jobId, stepNumber, lines, mostCharacters }: { jobId: string; stepNumber: number; lines: number; mostCharacters: number },
): Promise<string> {
  let text = '';
  let before = Number.MAX_SAFE_INTEGER;
  for (let isMore = true; isMore; ) {
    const page = await queries.run(chunksBefore, { jobId, stepNumber, before, limit: PAGE });
    before = page.at(-1)?.seq ?? 0;
    text =
      page
        .map((chunk) => chunk.text)
        .reverse()
        .join('') + text;
    const start = startOfTail(text, lines);
    if (start > 0) return cutStart(text.slice(start), mostCharacters);
    isMore = page.length === PAGE && text.length < mostCharacters;
  }
  return cutStart(text, mostCharacters);
}

/** Where the last lines of a text begin; 0 when it has no more than those. */
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
