/** What a store knows of itself: made on its first opening, kept for good. */
import { randomBytes } from 'node:crypto';
import type { Queries } from './store.ts';

export interface Identity {
  readonly identity: string;
  readonly secret: Buffer;
  /** The one that it had before it was restored from a backup, or fell back to an older state. */
  readonly parent: string | null;
}

/** Names a store in its cursors: never the same twice. */
export const newIdentity = (): string => randomBytes(6).toString('base64url');

/** Reads them, making what is missing. Two gateways that open a new PostgreSQL at once agree: the first insert stays. */
export async function readIdentity(queries: Queries): Promise<Identity> {
  const { db, t } = queries;
  await db
    .insert(t.meta)
    .values([
      { key: 'identity', value: newIdentity() },
      { key: 'secret', value: randomBytes(32).toString('base64url') },
    ])
    .onConflictDoNothing();
  const kept = new Map((await db.select().from(t.meta)).map((row) => [row.key, row.value]));
  return {
    identity: kept.get('identity') ?? '',
    secret: Buffer.from(kept.get('secret') ?? '', 'base64url'),
    parent: kept.get('parent') ?? null,
  };
}
