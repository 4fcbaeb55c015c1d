/** Prepares a database before the store uses it: migrations and identity. */
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import { type Identity, readIdentity } from '../identity.ts';
import { migrationsOf } from '../migrations.ts';
import { tables } from '../schema/postgres.ts';
import { PreparedStatements } from '../statements/prepared.ts';
import { asDatabase, dialect } from './dialect.ts';
import { Origin, readOrigin, settleOrigin } from './origin.ts';
import { connectionTo } from './session.ts';

/**
 * An arbitrary number. Held while migrations run, so that gateways that start together take turns.
 */
export const MIGRATION_LOCK = 7_203_411;

export interface Prepared {
  readonly version: string;
  readonly identity: Identity;
  readonly origin: Origin;
}

export async function prepareDatabase(url: string, isRenewed: boolean): Promise<Prepared> {
  const { migrationsFolder, refuseNewer } = migrationsOf('postgres');
  // On a connection of its own without a time limit: migrations, including another gateway's, may
  // take long.
  const client = new pg.Client(connectionTo(url, { name: 'trainyard', answerWithinMs: null }));
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const { rows } = await client.query(`select to_regclass('drizzle.__drizzle_migrations') is not null as known`);
    if (rows[0].known) {
      const applied = await client.query('select max(created_at) as newest from drizzle.__drizzle_migrations');
      refuseNewer(Number(applied.rows[0].newest));
    }
    const origin = await readOrigin(client);
    await migrate(drizzle(client), { migrationsFolder });
    await settleOrigin(client, origin, { isRenewed });
    const identity = await readIdentity(new PreparedStatements(asDatabase(client), tables, dialect));
    const version = String((await client.query('show server_version')).rows[0].server_version);
    return { version, identity, origin: new Origin(origin, identity.identity) };
  } finally {
    // This also releases the lock.
    await client.end().catch(() => {});
  }
}
