import { and, eq, isNull, lt, or } from 'drizzle-orm';
import { insertOf } from '../changes/inserts.ts';
import { type Placeholder, statement } from '../store.ts';

export const insertApiKey = insertOf('apiKeys');

export const keyByHash = statement('key by hash', (db, t, $: Placeholder<{ hash: string }>) =>
  db
    .select()
    .from(t.apiKeys)
    .where(eq(t.apiKeys.hash, $('hash'))),
);

export const keyById = statement('key by id', (db, t, $: Placeholder<{ id: string }>) =>
  db
    .select()
    .from(t.apiKeys)
    .where(eq(t.apiKeys.id, $('id'))),
);

export const revokeKey = statement('revoke key', (db, t, $: Placeholder<{ id: string; now: Date }>) =>
  db
    .update(t.apiKeys)
    .set({ revokedAt: $('now', t.apiKeys.revokedAt) })
    .where(and(eq(t.apiKeys.id, $('id')), isNull(t.apiKeys.revokedAt))),
);

/** Notes that a key was used, if the last note is older than `before`. */
export const noteKeyUse = statement('note key use', (db, t, $: Placeholder<{ id: string; now: Date; before: Date }>) =>
  db
    .update(t.apiKeys)
    .set({ lastUsedAt: $('now', t.apiKeys.lastUsedAt) })
    .where(and(eq(t.apiKeys.id, $('id')), or(isNull(t.apiKeys.lastUsedAt), lt(t.apiKeys.lastUsedAt, $('before', t.apiKeys.lastUsedAt))))),
);

export const anyAdminKey = statement('any admin key', (db, t) =>
  db
    .select({ id: t.apiKeys.id })
    .from(t.apiKeys)
    .where(and(eq(t.apiKeys.kind, 'USER'), eq(t.apiKeys.role, 'ADMIN'), isNull(t.apiKeys.revokedAt)))
    .limit(1),
);
