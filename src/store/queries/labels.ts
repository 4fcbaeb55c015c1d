/** The keys and values of the labels of jobs, for completion. */
import { and, asc, eq, gt, gte, type SQL } from 'drizzle-orm';
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core';
import type { Tables } from '../schema/tables.ts';
import { runShaped } from '../statements/shapes.ts';
import type { Queries } from '../store.ts';

interface LabelsOf {
  /** Null: of all projects. */
  readonly projectId: string | null;
  /** Null: of all jobs. */
  readonly jobId: string | null;
  /** The values of this key. Null: the keys. */
  readonly key: string | null;
  readonly prefix: string;
}

/**
 * Different texts looked at. They come in the order of the database, in which those with the same
 * prefix need not be neighbours.
 */
const MOST_LOOKED_AT = 300;

/** Different keys or values that begin with the prefix, in order: at most `limit`. */
export async function completeLabels(queries: Queries, of: LabelsOf, limit: number): Promise<string[]> {
  const found: string[] = [];
  if ([of.projectId, of.jobId, of.key, of.prefix].some((text) => text?.includes('\0'))) return found;
  let text = await nextText(queries, of, of.prefix, gte);
  for (let i = 0; text !== undefined && found.length < limit && i < MOST_LOOKED_AT; i++) {
    if (text.startsWith(of.prefix)) found.push(text);
    text = await nextText(queries, of, text, gt);
  }
  return found;
}

/** The next text of the index: each is found at once, however many jobs have it. */
async function nextText(
  queries: Queries,
  { projectId, jobId, key }: LabelsOf,
  text: string,
  beyond: typeof gt,
): Promise<string | undefined> {
  const isGiven = (t: Tables, $: (name: string) => SQL): (SQL | undefined)[] => [
    projectId === null ? undefined : eq(t.jobLabels.projectId, $('projectId')),
    jobId === null ? undefined : eq(t.jobLabels.jobId, $('jobId')),
    key === null ? undefined : eq(t.jobLabels.key, $('key')),
  ];
  const columnOf = ({ jobLabels }: Tables): AnySQLiteColumn<{ data: string; notNull: true }> =>
    key === null ? jobLabels.key : jobLabels.value;
  const [row] = await runShaped(queries, {
    name: 'next label',
    variant: [projectId === null, jobId === null, key === null, beyond === gt].join(' '),
    terms: [],
    values: { projectId, jobId, key, text },
    build: (db, t, _, $) =>
      db
        .select({ text: columnOf(t) })
        .from(t.jobLabels)
        .where(and(...isGiven(t, (name) => $(name) as never), beyond(columnOf(t), $('text'))))
        .orderBy(asc(columnOf(t)))
        .limit(1),
  });
  return row?.text;
}
