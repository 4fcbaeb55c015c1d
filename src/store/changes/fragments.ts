import { and, eq } from 'drizzle-orm';
import { isWord } from '../schema/columns.ts';
import { insertOf } from '../statements/inserts.ts';
import { type Placeholder, statement } from '../store.ts';

export const insertFragment = insertOf('fragments');

export const lockFragment = statement('lock fragment', (db, t, $: Placeholder<{ id: string }>, { lock }) =>
  lock(
    db
      .select()
      .from(t.fragments)
      .where(eq(t.fragments.id, $('id'))),
    'wait',
  ),
);

/** Makes a pending fragment ready; nothing when it is not pending. */
export const readyFragment = statement(
  'ready fragment',
  (db, t, $: Placeholder<{ id: string; filenameKey: string; sizeBytes: number; sha256: string; now: Date }>) =>
    db
      .update(t.fragments)
      .set({
        status: 'READY',
        filenameKey: $('filenameKey', t.fragments.filenameKey),
        sizeBytes: $('sizeBytes', t.fragments.sizeBytes),
        sha256: $('sha256', t.fragments.sha256),
        readyAt: $('now', t.fragments.readyAt),
      })
      .where(and(eq(t.fragments.id, $('id')), isWord(t.fragments.status, 'PENDING')))
      .returning(),
);

export const deleteFragmentRow = statement('delete fragment', (db, t, $: Placeholder<{ id: string }>) =>
  db
    .delete(t.fragments)
    .where(eq(t.fragments.id, $('id')))
    .returning({ id: t.fragments.id }),
);
