/** Who tests are to the PostgreSQL that they run on: a server of 127.0.0.1 that lives no longer than they do. */
export const user = 'postgres';
export const password = 'for-tests-alone';
/** The database that has all tables and no rows. */
export const MIGRATED = 'migrated';
