/** Stores of older versions: what a migration fills in, and what it allows. */
import SqliteDatabase from 'better-sqlite3';
import { eq } from 'drizzle-orm';
import { afterEach, expect, test } from 'vitest';
import { migrationsOf } from '../../src/store/migrations.ts';
import { migrateFile } from '../../src/store/sqlite/file.ts';
import { createPostgresDatabase, createSqliteDatabase, querySql, type TestDatabase } from '../support/databases.ts';

const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

/** Those before lists of jobs had the project of each label, and the feed deletions of jobs. */
const OLDER = 4;

async function makeOlder({ url, file }: TestDatabase, statements: readonly string[]): Promise<void> {
  if (url === null) {
    const older = new SqliteDatabase(file);
    migrateFile(older, { most: OLDER });
    for (const statement of statements) older.exec(statement);
    older.close();
    return;
  }
  await querySql(url, 'create schema drizzle');
  await querySql(url, 'create table drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)');
  for (const { sql, hash, folderMillis } of migrationsOf('postgres').first(OLDER)) {
    for (const statement of sql) await querySql(url, statement);
    await querySql(url, 'insert into drizzle.__drizzle_migrations (hash, created_at) values ($1, $2)', [hash, folderMillis]);
  }
  for (const statement of statements) await querySql(url, statement);
}

test.each([
  ['SQLite', createSqliteDatabase],
  ['PostgreSQL', createPostgresDatabase],
])('the labels of an older store on %s get the project of their job, and its feed takes deletions of jobs', async (_, create) => {
  const database = await create();
  ending.push(() => database.remove());
  const [time, no] = database.url === null ? ['0', '0'] : ['now()', 'false'];
  await makeOlder(database, [
    `insert into projects (id, name, pipeline, created_at, updated_at) values ('p1', 'P', '[]', ${time}, ${time})`,
    `insert into jobs (id, project_id, name, type, initiator, status, reason, reason_description, owner, priority, labels, is_preemptible,
       settings, settings_warnings, settings_sources, is_federated, input, step_count, created_at, updated_at)
     values ('j1', 'p1', 'J', 'TRAINING', 'MANUAL', 'QUEUED', 'CREATED', '', 'o', 0, '[]', ${no}, '{}', '[]', '{}', ${no}, '{}', 0, ${time}, ${time})`,
    `insert into job_labels (job_id, key, value) values ('j1', 'k', 'v')`,
    `insert into events (job_id, seq, position, project_id, type, at, actor, description) values ('j1', 1, 1, 'p1', 'JOB_CREATED', ${time}, 'a', '')`,
  ]);
  const store = await database.open();
  ending.push(() => store.close());
  const { db, t } = store.read;
  expect(await db.select().from(t.jobLabels)).toEqual([{ jobId: 'j1', projectId: 'p1', key: 'k', value: 'v' }]);
  const [event] = await db.select().from(t.events);
  if (!event) throw new Error('The event was not kept.');
  const add = (type: string) =>
    store.write(({ db, t }) => db.insert(t.events).values({ ...event, seq: 2, position: 2, type: type as 'JOB_DELETED' }));
  await add('JOB_DELETED');
  expect(await db.select({ seq: t.events.seq }).from(t.events).where(eq(t.events.type, 'JOB_DELETED'))).toEqual([{ seq: 2 }]);
  await expect(add('NO_SUCH_TYPE')).rejects.toThrow();
});
