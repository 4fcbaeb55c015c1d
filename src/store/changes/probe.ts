/** Whether the store takes writes at all. */
import { eq, sql } from 'drizzle-orm';
import { statement } from '../store.ts';

/** Writes down again what stands there: changes nothing, and needs all that a change needs. */
export const writeAgain = statement('write again', (db, t) =>
  db
    .update(t.meta)
    .set({ value: sql`${t.meta.value}` })
    .where(eq(t.meta.key, 'identity')),
);
