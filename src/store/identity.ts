/** What a store knows of itself: made on its first opening, kept for good. */
import { randomBytes } from 'node:crypto';
import type { Queries } from './store.ts';

export interface Identity {
  readonly identity: string;
  readonly secret: Buffer;
}

/** Reads both, making what is missing. Two gateways that open a new PostgreSQL at once agree: the first insert stays. */
export async function readIdentity(queries: Queries): Promise<Identity> {
  const { db, t } = queries;
  await db
    .insert(t.meta)
    .values([
      { key: 'identity', value: randomBytes(6).toString('base64url') },
      { key: 'secret', value: randomBytes(32).toString('base64url') },
    ])
    .onConflictDoNothing();
  const kept = new Map((await db.select().from(t.meta)).map((row) => [row.key, row.value]));
  return { identity: kept.get('identity') ?? '', secret: Buffer.from(kept.get('secret') ?? '', 'base64url') };
}
