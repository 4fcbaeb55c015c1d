/** API keys, for who administers them. */
import { and, count, eq, inArray, type SQL } from 'drizzle-orm';
import type { PrincipalKind } from '../../domain/principal.ts';
import type { Queries } from '../store.ts';
import type { ApiKeyRow } from '../tables.ts';
import { batch } from './batch.ts';
import { keyset, type Slice, textKey } from './keyset.ts';

export const apiKeysByIds = batch<ApiKeyRow>('api keys', (db, t, ids) => db.select().from(t.apiKeys).where(inArray(t.apiKeys.id, ids)));

export interface ApiKeysOf {
  /** Null: of all projects and of none. */
  readonly projectId: string | null;
  readonly kinds: readonly PrincipalKind[];
}

const isOf = ({ t: { apiKeys } }: Queries, of: ApiKeysOf): SQL | undefined =>
  and(of.projectId === null ? undefined : eq(apiKeys.projectId, of.projectId), inArray(apiKeys.kind, [...of.kinds]));

/** Newest first, ended ones included. */
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
