/** Whether the store takes writes at all. */
import { sql } from 'drizzle-orm';
import { isWord } from '../schema/columns.ts';
import { statement } from '../store.ts';

/** Writes down again what stands there: changes nothing, and needs all that a change needs. */
export const writeAgain = statement('write again', (db, t) =>
  db
    .update(t.meta)
    .set({ value: sql`${t.meta.value}` })
    .where(isWord(t.meta.key, 'identity')),
);
