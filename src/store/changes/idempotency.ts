import { and, eq, lt, sql } from 'drizzle-orm';
import { type Placeholder, statement } from '../store.ts';

interface KeyName {
  scope: string;
  operation: string;
  key: string;
}

/**
 * Takes the key. Returns nothing if it was taken before. If another transaction is about to take
 * it, waits for that one.
 */
export const takeIdempotencyKey = statement(
  'take idempotency key',
  (db, t, $: Placeholder<KeyName & { input: Record<string, unknown>; now: Date }>) =>
    db
      .insert(t.idempotencyKeys)
      .values({ scope: $('scope'), operation: $('operation'), key: $('key'), input: $('input'), result: [], createdAt: $('now') })
      .onConflictDoNothing()
      .returning({ key: t.idempotencyKeys.key }),
);

export const readIdempotencyKey = statement('read idempotency key', (db, t, $: Placeholder<KeyName>) =>
  db
    .select()
    .from(t.idempotencyKeys)
    .where(
      and(eq(t.idempotencyKeys.scope, $('scope')), eq(t.idempotencyKeys.operation, $('operation')), eq(t.idempotencyKeys.key, $('key'))),
    ),
);

export const recordIdempotentResult = statement('record idempotent result', (db, t, $: Placeholder<KeyName & { result: string[] }>) =>
  db
    .update(t.idempotencyKeys)
    .set({ result: $('result', t.idempotencyKeys.result) })
    .where(
      and(eq(t.idempotencyKeys.scope, $('scope')), eq(t.idempotencyKeys.operation, $('operation')), eq(t.idempotencyKeys.key, $('key'))),
    ),
);

/** Deletes some of the keys that are older than the given time. */
export const forgetIdempotencyKeys = statement('forget idempotency keys', (db, t, $: Placeholder<{ before: Date; limit: number }>) => {
  const { idempotencyKeys: keys } = t;
  const old = db
    .select({ scope: keys.scope, operation: keys.operation, key: keys.key })
    .from(keys)
    .where(lt(keys.createdAt, $('before', keys.createdAt)))
    .limit($('limit'));
  return db.delete(keys).where(sql`(${keys.scope}, ${keys.operation}, ${keys.key}) in ${old}`).returning({ key: keys.key });
});
