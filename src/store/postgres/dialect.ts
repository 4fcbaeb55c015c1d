/** What is PostgreSQL's own in queries. */
import { type SQL, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import type pg from 'pg';
import type { Database, Dialect } from '../store.ts';

export const dialect: Dialect = {
  arrival: sql<number>`-nextval('events_arrival')` as SQL<number>,
  later: (moment, milliseconds) => sql`${moment}::timestamptz + ${milliseconds} * interval '1 millisecond'`,
  span: (milliseconds) => sql`${milliseconds} * interval '1 millisecond'`,
  // Cast: a select of PostgreSQL's builder has `for`. The common type is SQLite's, which does not.
  lock: (query, mode) =>
    (query as unknown as { for(strength: 'update', config: { skipLocked?: true }): typeof query }).for(
      'update',
      mode === 'skip' ? { skipLocked: true } : {},
    ),
  takesTurn: (lock) => sql<boolean>`pg_try_advisory_xact_lock(${lock}::bigint)`,
  contains: (column, part) => sql`strpos(lower(${column} collate "C"), ${part}) > 0`,
  unindexed: (column) => sql`${column}`,
  walkStep: 2_000,
  bytes: (column) => sql`octet_length(${column}::text)`,
  text: (column) => sql`${column}::text`,
};

/** Cast: see columns.ts. */
export function asDatabase(client: pg.Pool | pg.PoolClient | pg.Client): Database {
  return drizzle(client, { casing: 'snake_case' }) as unknown as Database;
}
