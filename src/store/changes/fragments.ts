import { and, eq } from 'drizzle-orm';
import type { FragmentStatus } from '../../domain/core/lifecycle.ts';
import type { FragmentRow } from '../schema/tables.ts';
import { insertOf } from '../statements/inserts.ts';
import { type Placeholder, statement, type Tx } from '../store.ts';

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

/**
 * Saves the columns that change when the upload is complete, if the status is still the one that
 * was read.
 */
const save = statement('save fragment', (db, t, $: Placeholder<FragmentRow & { fromStatus: FragmentStatus }>) =>
  db
    .update(t.fragments)
    .set({
      status: $('status', t.fragments.status),
      filenameKey: $('filenameKey', t.fragments.filenameKey),
      sizeBytes: $('sizeBytes', t.fragments.sizeBytes),
      sha256: $('sha256', t.fragments.sha256),
      readyAt: $('readyAt', t.fragments.readyAt),
    })
    .where(and(eq(t.fragments.id, $('id')), eq(t.fragments.status, $('fromStatus'))))
    .returning({ id: t.fragments.id }),
);

/** Returns false if another transaction moved the fragment since it was read. */
export async function saveFragment(tx: Tx, before: FragmentRow, after: FragmentRow): Promise<boolean> {
  return (await tx.run(save, { ...after, fromStatus: before.status })).length === 1;
}

export const deleteFragmentRow = statement('delete fragment', (db, t, $: Placeholder<{ id: string }>) =>
  db
    .delete(t.fragments)
    .where(eq(t.fragments.id, $('id')))
    .returning({ id: t.fragments.id }),
);
