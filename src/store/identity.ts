/** The identity and the secret of a store, made when it is first opened and kept for good. */
import { randomBytes } from 'node:crypto';
import type { Queries } from './store.ts';

export interface Identity {
  readonly identity: string;
  readonly secret: Buffer;
  /**
   * The identity that it had before it was restored from a backup, or fell back to an earlier
   * state.
   */
  readonly parent: string | null;
}

/** Names a store in its cursors. No two stores have the same. */
export const newIdentity = (): string => randomBytes(6).toString('base64url');

/**
 * Reads them, and creates what is missing. Two gateways that open a new PostgreSQL at once agree:
 * the first insert wins.
 */
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
