/** API keys: by hash, by id and in lists. */
import { and, desc, eq, gt, inArray, isNotNull, isNull, lt, lte, ne, or } from 'drizzle-orm';
import type { PrincipalKind } from '../../domain/access/principal.ts';
import { isNoJobKey } from '../schema/access.ts';
import { isWord, withoutIndex } from '../schema/columns.ts';
import type { ApiKeyRow } from '../schema/tables.ts';
import { batch } from '../statements/batch.ts';
import { countById, idsNewestFirst, inOrderOf, type Walked } from '../statements/id-walks.ts';
import { insertOf } from '../statements/inserts.ts';
import type { Slice } from '../statements/keyset.ts';
import { type Placeholder, type Queries, statement, type Tx } from '../store.ts';

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

export const lockKey = statement('lock key', (db, t, $: Placeholder<{ id: string }>, { lock }) =>
  lock(
    db
      .select()
      .from(t.apiKeys)
      .where(eq(t.apiKeys.id, $('id'))),
    'wait',
  ),
);

export async function saveKeyFields({ db, t }: Tx, id: string, fields: Partial<ApiKeyRow>): Promise<void> {
  await db.update(t.apiKeys).set(fields).where(eq(t.apiKeys.id, id));
}

/** The other keys that this principal made that are valid now and not replaced. */
export const keysMadeBy = statement('keys made by', (db, t, $: Placeholder<{ createdBy: string; hash: string; now: Date }>, { lock }) =>
  lock(
    db
      .select()
      .from(t.apiKeys)
      .where(
        and(
          eq(t.apiKeys.createdBy, $('createdBy')),
          ne(t.apiKeys.hash, $('hash')),
          isNull(t.apiKeys.revokedAt),
          isNull(t.apiKeys.replacedById),
          or(isNull(t.apiKeys.expiresAt), gt(t.apiKeys.expiresAt, $('now', t.apiKeys.expiresAt))),
        ),
      ),
    'wait',
  ),
);

/** The keys of a device that are valid now and not replaced. */
export const keysOfDevice = statement('keys of device', (db, t, $: Placeholder<{ deviceId: string; now: Date }>, { lock }) =>
  lock(
    db
      .select()
      .from(t.apiKeys)
      .where(
        and(
          eq(t.apiKeys.deviceId, $('deviceId')),
          isNull(t.apiKeys.revokedAt),
          isNull(t.apiKeys.replacedById),
          or(isNull(t.apiKeys.expiresAt), gt(t.apiKeys.expiresAt, $('now', t.apiKeys.expiresAt))),
        ),
      ),
    'wait',
  ),
);

/**
 * The newest key of a device that this principal made by rotation in a span of time. A key from the
 * future, made before the clock was set back, does not count.
 */
export const lastRotationBy = statement(
  'last rotation by',
  (db, t, $: Placeholder<{ deviceId: string; createdBy: string; since: Date; now: Date }>) =>
    db
      .select({ id: t.apiKeys.id, createdAt: t.apiKeys.createdAt })
      .from(t.apiKeys)
      .where(
        and(
          eq(t.apiKeys.deviceId, $('deviceId')),
          eq(t.apiKeys.createdBy, $('createdBy')),
          isNotNull(t.apiKeys.rotatedFromId),
          gt(t.apiKeys.createdAt, $('since', t.apiKeys.createdAt)),
          lte(t.apiKeys.createdAt, $('now', t.apiKeys.createdAt)),
        ),
      )
      .orderBy(desc(t.apiKeys.createdAt))
      .limit(1),
);

/** Records that a key was used, if the last record is older than `before`. */
export const noteKeyUse = statement('note key use', (db, t, $: Placeholder<{ id: string; now: Date; before: Date }>) =>
  db
    .update(t.apiKeys)
    .set({ lastUsedAt: $('now', t.apiKeys.lastUsedAt) })
    .where(and(eq(t.apiKeys.id, $('id')), or(isNull(t.apiKeys.lastUsedAt), lt(t.apiKeys.lastUsedAt, $('before', t.apiKeys.lastUsedAt))))),
);

/** Returns an ADMIN key for all projects that is valid now, if any. */
export const anyAdminKey = statement('any admin key', (db, t, $: Placeholder<{ now: Date }>) =>
  db
    .select({ id: t.apiKeys.id })
    .from(t.apiKeys)
    .where(
      and(
        isWord(t.apiKeys.kind, 'USER'),
        isWord(t.apiKeys.role, 'ADMIN'),
        isNull(withoutIndex(t.apiKeys.projectId)),
        isNull(t.apiKeys.revokedAt),
        or(isNull(t.apiKeys.expiresAt), gt(t.apiKeys.expiresAt, $('now', t.apiKeys.expiresAt))),
      ),
    )
    .limit(1),
);

export const apiKeysByIds = batch<ApiKeyRow>('api keys', (db, t, ids) => db.select().from(t.apiKeys).where(inArray(t.apiKeys.id, ids)));

export interface ApiKeysOf {
  /** Null: keys of all projects, and keys that belong to none. */
  readonly projectId: string | null;
  readonly kinds: readonly PrincipalKind[];
  /** Whether the key is valid at `now`. Null: either. */
  readonly isLive: boolean | null;
  readonly now: Date;
  readonly jobId: string | null;
  readonly deviceId: string | null;
}

function walkOf({ t: { apiKeys } }: Queries, of: ApiKeysOf): Walked {
  const hasEnded = or(isNotNull(apiKeys.revokedAt), lte(apiKeys.expiresAt, of.now));
  const isNeverOfJob = !of.kinds.includes('JOB');
  return {
    table: apiKeys,
    id: apiKeys.id,
    direct: and(
      isNeverOfJob ? isNoJobKey(apiKeys.kind) : undefined,
      // The index without keys of jobs is the shorter one.
      of.projectId === null ? undefined : eq(isNeverOfJob ? withoutIndex(apiKeys.projectId) : apiKeys.projectId, of.projectId),
      of.jobId === null ? undefined : eq(apiKeys.jobId, of.jobId),
      of.deviceId === null ? undefined : eq(apiKeys.deviceId, of.deviceId),
    ),
    rest: and(
      inArray(apiKeys.kind, [...of.kinds]),
      of.isLive === null
        ? undefined
        : of.isLive
          ? and(isNull(apiKeys.revokedAt), or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, of.now)))
          : hasEnded,
    ),
  };
}

/** Newest first, including keys that have ended. */
export async function listApiKeys(queries: Queries, of: ApiKeysOf, slice: Slice): Promise<ApiKeyRow[]> {
  const ids = await idsNewestFirst(queries, walkOf(queries, of), slice);
  return inOrderOf(ids, await apiKeysByIds(queries, ids));
}

export const countApiKeys = (queries: Queries, of: ApiKeysOf): Promise<number> => countById(queries, walkOf(queries, of));
