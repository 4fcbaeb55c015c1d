/** Where the generated migrations are, and whether a database is one that they can bring up to date. */
import { fileURLToPath } from 'node:url';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { StoreUnusable } from './store.ts';

const folderOf = (dialect: 'sqlite' | 'postgres') => fileURLToPath(new URL(`../../drizzle/${dialect}`, import.meta.url));

export function migrationsOf(dialect: 'sqlite' | 'postgres', migrationsFolder = folderOf(dialect)) {
  const newest = readMigrationFiles({ migrationsFolder }).at(-1)?.folderMillis ?? 0;
  return {
    migrationsFolder,
    /** Refuses a database that a newer Trainyard has migrated: this one does not know what its tables mean. */
    refuseNewer(applied: number | null): void {
      if (applied !== null && applied > newest)
        throw new StoreUnusable('The database was written by a newer version of Trainyard; start that version instead.');
    },
  };
}
