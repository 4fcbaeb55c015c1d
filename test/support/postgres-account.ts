/** The account of tests on their PostgreSQL, a server on 127.0.0.1 that ends with them. */
export const user = 'postgres';
export const password = 'for-tests-alone';
/** The database that has all tables and no rows. */
export const MIGRATED = 'migrated';
