/** PostgreSQL itself is recovered to an earlier moment under a running gateway (P7, P8). */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../../chaos/databases.ts';
import { querySql } from '../../support/databases.ts';
import { createFolder } from '../../support/folders.ts';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { createJob, readFeed } from '../feed-of.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
let gateway: Gateway;
afterEach(() => gateway.stop());

test('a recovery to an earlier moment begins a timeline; the gateway ends, and started again skips nothing (P7, P8)', async () => {
  const url = await server.create();
  gateway = await startGateway({ database: { folder: createFolder('recovered'), url } });
  const known = await createJob(gateway, null);
  await server.interrupt('fast');
  await server.copy();
  await server.resume();
  const lost = await createJob(gateway, known);
  await server.interrupt('fast');
  await server.putBack();
  await server.resume();
  expect(await gateway.ended()).toEqual({ code: 1, signal: null });
  expect(gateway.output()).toContain('PostgreSQL failed over or was restored');
  await gateway.restart();
  expect((await readFeed(gateway, lost)).code).toBe('BAD_REQUEST');
  const newest = await createJob(gateway, known).then((cursor) => createJob(gateway, cursor));
  expect((await readFeed(gateway, lost)).code).toBe('BAD_REQUEST');
  expect((await readFeed(gateway, known)).data.events).toMatchObject({ endCursor: newest, missed: 0 });
  expect(await querySql(url, `select value from meta where key = 'origin'`)).toEqual([{ value: expect.stringMatching('/00000002/') }]);
});
