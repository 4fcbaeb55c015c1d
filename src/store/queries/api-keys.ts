/** API keys, in lists. */
import { and, count, eq, gt, inArray, isNotNull, isNull, lte, or, type SQL } from 'drizzle-orm';
import type { PrincipalKind } from '../../domain/access/principal.ts';
import type { ApiKeyRow } from '../schema/tables.ts';
import { batch } from '../statements/batch.ts';
import { keyset, type Slice, textKey } from '../statements/keyset.ts';
import type { Queries } from '../store.ts';

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

function isOf({ t: { apiKeys } }: Queries, of: ApiKeysOf): SQL | undefined {
  const hasEnded = or(isNotNull(apiKeys.revokedAt), lte(apiKeys.expiresAt, of.now));
  return and(
    of.projectId === null ? undefined : eq(apiKeys.projectId, of.projectId),
    inArray(apiKeys.kind, [...of.kinds]),
    of.jobId === null ? undefined : eq(apiKeys.jobId, of.jobId),
    of.deviceId === null ? undefined : eq(apiKeys.deviceId, of.deviceId),
    of.isLive === null
      ? undefined
      : of.isLive
        ? and(isNull(apiKeys.revokedAt), or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, of.now)))
        : hasEnded,
  );
}

/** Newest first, including keys that have ended. */
export async function listApiKeys(queries: Queries, of: ApiKeysOf, slice: Slice): Promise<ApiKeyRow[]> {
  const { apiKeys } = queries.t;
  const { where, orderBy } = keyset([textKey(apiKeys.id)], 'desc', slice);
  return queries.db
    .select()
    .from(apiKeys)
    .where(and(isOf(queries, of), where))
    .orderBy(...orderBy)
    .limit(slice.limit);
}

export async function countApiKeys(queries: Queries, of: ApiKeysOf): Promise<number> {
  const [row] = await queries.db.select({ count: count() }).from(queries.t.apiKeys).where(isOf(queries, of));
  return row?.count ?? 0;
}
