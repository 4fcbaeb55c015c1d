/** The connection through which gateways wake each other. */
import { afterEach, expect, test } from 'vitest';
import { Notifier } from '../../../src/store/postgres/notify.ts';
import { connectionTo } from '../../../src/store/postgres/session.ts';
import { createPostgresDatabase, querySql, type TestDatabase } from '../../support/databases.ts';

let database: TestDatabase | null = null;
afterEach(() => database?.remove());

test('a notifier that is closed while it opens leaves no connection (P11)', async () => {
  database = await createPostgresDatabase();
  const url = database.url ?? '';
  const notifier = new Notifier(connectionTo(url, { name: 'trainyard wire', answerWithinMs: null }));
  const opening = notifier.open();
  await notifier.close();
  await opening;
  const count = async () => {
    const [row] = await querySql(
      url,
      `select count(*)::int as count from pg_stat_activity where datname = current_database() and application_name = 'trainyard wire'`,
    );
    return row?.count;
  };
  await expect.poll(count).toBe(0);
});
