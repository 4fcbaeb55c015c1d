/** Where the generated migrations are, and whether a database is one that they can bring up to date. */
import { fileURLToPath } from 'node:url';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { StoreUnusable } from './store.ts';

const folderOf = (dialect: 'sqlite' | 'postgres') => fileURLToPath(new URL(`../../drizzle/${dialect}`, import.meta.url));

export function migrationsOf(dialect: 'sqlite' | 'postgres', migrationsFolder = folderOf(dialect)) {
  const migrations = readMigrationFiles({ migrationsFolder });
  const newest = migrations.at(-1)?.folderMillis ?? 0;
  return {
    migrationsFolder,
    /** How many this program knows. */
    known: migrations.length,
    /** Refuses a database that a newer Trainyard has migrated: this one does not know what its tables mean. */
    refuseNewer(applied: number | null): void {
      if (applied !== null && applied > newest)
        throw new StoreUnusable('The database was written by a newer version of Trainyard; start that version instead.');
    },
    /** Refuses a database to which other migrations have been applied than this program knows. */
    requireSame(applied: number): void {
      if (applied !== newest)
        throw new StoreUnusable(
          'The database was written by another version of Trainyard: use that version, or start a gateway of this one first.',
        );
    },
    /** The first so many, to make a database as it was at a certain version. */
    first: (count: number) => migrations.slice(0, count),
  };
}
