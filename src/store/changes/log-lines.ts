/** Line numbers for chunks of logs that were stored without them. */
import { and, eq } from 'drizzle-orm';
import { isWord } from '../schema/columns.ts';
import type { LogChunkRow, StepRow, StreamRow } from '../schema/tables.ts';
import { type Placeholder, statement } from '../store.ts';

export const saveFirstLine = statement(
  'save first line',
  (db, t, $: Placeholder<Pick<LogChunkRow, 'jobId' | 'seq'> & { firstLine: number }>) =>
    db
      .update(t.logChunks)
      .set({ firstLine: $('firstLine', t.logChunks.firstLine) })
      .where(and(eq(t.logChunks.jobId, $('jobId')), eq(t.logChunks.seq, $('seq')))),
);

export const saveLogCounts = statement('save log counts', (db, t, $: Placeholder<Pick<StepRow, 'id' | 'logCounts'>>) =>
  db
    .update(t.steps)
    .set({ logCounts: $('logCounts', t.steps.logCounts) })
    .where(eq(t.steps.id, $('id'))),
);

export const saveNumbered = statement('save numbered', (db, t, $: Placeholder<Pick<StreamRow, 'jobId' | 'numbered'>>) =>
  db
    .update(t.streams)
    .set({ numbered: $('numbered', t.streams.numbered) })
    .where(and(eq(t.streams.jobId, $('jobId')), isWord(t.streams.kind, 'log'))),
);
