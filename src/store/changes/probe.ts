/** Checks that the store accepts writes. */
import { sql } from 'drizzle-orm';
import { isWord } from '../schema/columns.ts';
import { statement } from '../store.ts';

/** Writes a value back as it is: changes nothing, and needs everything that a change needs. */
export const writeAgain = statement('write again', (db, t) =>
  db
    .update(t.meta)
    .set({ value: sql`${t.meta.value}` })
    .where(isWord(t.meta.key, 'identity')),
);
