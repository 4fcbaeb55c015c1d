/** The connection by which gateways wake one another. */
import { afterEach, expect, test } from 'vitest';
import { Wire } from '../../../src/store/postgres/notify.ts';
import { connectionTo } from '../../../src/store/postgres/session.ts';
import { createPostgresDatabase, querySql, type TestDatabase } from '../../support/databases.ts';

let database: TestDatabase | null = null;
afterEach(() => database?.remove());

test('a wire that is closed while it opens leaves no connection (P11)', async () => {
  database = await createPostgresDatabase();
  const url = database.url ?? '';
  const wire = new Wire(connectionTo(url, { name: 'trainyard wire', answerWithinMs: null }));
  const opening = wire.open();
  await wire.close();
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
