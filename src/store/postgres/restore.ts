import pg from 'pg';
import { type BackupColumn, type BackupValue, quote, type Restore } from '../backup-format.ts';
import { migrationsOf } from '../migrations.ts';
import { newIdentityStatements } from '../restored-identity.ts';
import { StoreUnusable } from '../store.ts';
import { unavailabilityOf } from '../unavailable.ts';
import { MIGRATION_LOCK } from './preparation.ts';
import { connectionTo, whileFilesAreRead } from './session.ts';

/** PostgreSQL accepts 65,535 parameters. Fewer are as fast. */
const PARAMETERS_AT_ONCE = 8_000;

/**
 * Restores in one transaction, including the creation of the tables: an interrupted restore leaves
 * the database empty.
 */
export async function restorePostgres(url: string, migrations: number): Promise<Restore> {
  const client = new pg.Client(connectionTo(url, { name: 'trainyard restore', answerWithinMs: null, settings: whileFilesAreRead }));
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('BEGIN');
    // A gateway that starts in the meantime waits for this lock.
    await client.query('select pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
    const known = await client.query(
      `select to_regclass('drizzle.__drizzle_migrations') is not null or to_regclass('meta') is not null as known`,
    );
    if (known.rows[0].known)
      throw new StoreUnusable('There is a store in this database already. Restore the backup into an empty database.');
    await migrate(client, migrations);
    const version = await client.query('show server_version');
    return of(client, String(version.rows[0].server_version));
  } catch (error) {
    await client.end().catch(() => {});
    if (error instanceof StoreUnusable) throw error;
    throw new StoreUnusable(`PostgreSQL cannot be used: ${error instanceof Error ? error.message || String(error) : String(error)}`);
  }
}

/** Like Drizzle's migrator, but only the first migrations, and in this transaction. */
async function migrate(client: pg.Client, migrations: number): Promise<void> {
  await client.query('create schema if not exists drizzle');
  await client.query('create table drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)');
  for (const { sql, hash, folderMillis } of migrationsOf('postgres').first(migrations)) {
    for (const statement of sql) await client.query(statement);
    await client.query('insert into drizzle.__drizzle_migrations (hash, created_at) values ($1, $2)', [hash, folderMillis]);
  }
}

function of(client: pg.Client, version: string): Restore {
  return {
    description: `postgres ${version}`,
    async insert({ name, columns }, rows) {
      const names = columns.map((column) => quote(column.name)).join(', ');
      const most = Math.floor(PARAMETERS_AT_ONCE / columns.length);
      for (let from = 0; from < rows.length; from += most) {
        const part = rows.slice(from, from + most);
        const tuples = part.map((_, r) => `(${columns.map((_, c) => `$${r * columns.length + c + 1}`).join(', ')})`).join(', ');
        await client
          .query(
            `insert into ${quote(name)} (${names}) values ${tuples}`,
            part.flatMap((row) => row.map((value, i) => encode(value, columns[i]))),
          )
          .catch((error: unknown) => {
            throw new StoreUnusable(`The table ${name} cannot be restored: ${error instanceof Error ? error.message : String(error)}.`);
          });
      }
    },
    async finish(options) {
      for (const { text, values } of newIdentityStatements(options)) await client.query(text, [...values]);
      await client.query('COMMIT').catch((error: unknown) => {
        if (!unavailabilityOf(error)) throw error;
        throw new StoreUnusable(
          'PostgreSQL was lost at the very end, and whether the backup is restored is not known. Restore it again: where it is, that is refused.',
        );
      });
      // The restore is committed, whatever happens to the connection.
      await client.end().catch(() => {});
    },
    async abandon() {
      await client.query('ROLLBACK').catch(() => {});
      await client.end().catch(() => {});
    },
  };
}

function encode(value: BackupValue, column: BackupColumn | undefined): BackupValue {
  return column?.kind === 'instant' && typeof value === 'number' ? new Date(value).toISOString() : value;
}
