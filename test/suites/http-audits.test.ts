/**
 * graphql-http's audits of the GraphQL-over-HTTP specification, against a gateway process with the
 * real schema and a key.
 */
import { serverAudits } from 'graphql-http';
import { beforeAll, expect, test } from 'vitest';
import { createSqliteDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  const database = await createSqliteDatabase();
  gateway = await startGateway({ database });
  return async () => {
    await gateway.stop();
    await database.remove();
  };
});

const audits = serverAudits({
  url: () => `${gateway.url}/graphql`,
  fetchFn: (url: string, init: RequestInit = {}) =>
    fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${gateway.adminKey}` } }),
});

test('graphql-http has 61 audits', () => {
  expect(new Set(audits.map(({ id }) => id)).size).toBe(61);
});

test.each(audits.map((audit) => [audit.id, audit.name, audit] as const))('%s: a gateway %s', async (_id, _name, audit) => {
  const result = await audit.fn();
  expect(result, 'reason' in result ? result.reason : '').toMatchObject({ status: 'ok' });
});
