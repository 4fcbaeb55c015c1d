/** The connection through which gateways wake each other. */
import pg from 'pg';
import { afterEach, expect, test, vi } from 'vitest';
import { Notifier } from '../../../src/store/postgres/notify.ts';
import { connectionTo } from '../../../src/store/postgres/session.ts';
import { createPostgresDatabase, querySql, type TestDatabase } from '../../support/databases.ts';

let database: TestDatabase | null = null;
afterEach(() => database?.remove());

const POLL = { timeout: 20_000 };

test('a gateway is sent the topics that it has listeners for, and no others', async () => {
  database = await createPostgresDatabase();
  const [here, there] = [await database.open(), await database.open()];
  const sent = vi.spyOn(pg.Client.prototype, 'query');
  const payloads = () => sent.mock.calls.flatMap(([text, values]) => (String(text).includes('pg_notify') ? [String(values?.[1])] : []));
  // In its first seconds a gateway sends everything, because it does not know yet what is wanted.
  const touch = () =>
    here.write(async (tx) => {
      for (const topic of ['job:one', 'queue:a', 'taken']) tx.touch(topic);
    });
  const heard: string[] = [];
  there.onCommit((topics) => heard.push(...topics), ['queue']);
  await expect
    .poll(async () => {
      sent.mockClear();
      await touch();
      await vi.waitFor(() => expect(payloads()).not.toEqual([]));
      return payloads();
    }, POLL)
    .toEqual(['queue:a']);
  heard.length = 0;
  await touch();
  await vi.waitFor(() => expect(heard).toEqual(['queue:a']));
  // A new wish is acknowledged, so that what was committed before it was known is looked at.
  const wished = new Promise((resolve) => there.onCommit(resolve, ['job']));
  expect(await wished).toEqual(new Set(['*']));
  heard.length = 0;
  await touch();
  await vi.waitFor(() => expect(heard).toEqual(['job:one', 'queue:a']), POLL);
});

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
