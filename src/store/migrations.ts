/** The generated migrations, and checks that they fit a database. */
import { fileURLToPath } from 'node:url';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { fileOfPackage } from '../installation.ts';
import { StoreUnusable } from './store.ts';

const folderOf = (dialect: 'sqlite' | 'postgres') => fileURLToPath(fileOfPackage(`drizzle/${dialect}`));

export function migrationsOf(dialect: 'sqlite' | 'postgres', migrationsFolder = folderOf(dialect)) {
  const migrations = readMigrationFiles({ migrationsFolder });
  const newest = migrations.at(-1)?.folderMillis ?? 0;
  return {
    migrationsFolder,
    /** The number of migrations that this program knows. */
    known: migrations.length,
    /**
     * Refuses a database that a newer Trainyard has migrated: this one does not know its tables.
     */
    refuseNewer(applied: number | null): void {
      if (applied !== null && applied > newest)
        throw new StoreUnusable('The database was written by a newer version of Trainyard. Start that version instead.');
    },
    /** Refuses a database with other migrations than this program knows. */
    requireSame(applied: number): void {
      if (applied !== newest)
        throw new StoreUnusable(
          'The database was written by another version of Trainyard. Use that version, or start a gateway of this version first.',
        );
    },
    /** The first migrations, to create a database as it was at an earlier version. */
    first: (count: number) => migrations.slice(0, count),
  };
}
