/** Clients that first send the hash of a document: told that it is of no use here, they send the document. */
import { createHash } from 'node:crypto';
import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { Client, fetchExchange } from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';
import { beforeAll, describe, expect, test } from 'vitest';
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

const sha256 = (text: string) => Promise.resolve(createHash('sha256').update(text).digest('hex'));
const headersOf = ({ adminKey }: Gateway) => ({ authorization: `Bearer ${adminKey}` });

/** A fetch that keeps whether each request brought its document. */
function watchedFetch() {
  const brought: boolean[] = [];
  const watched: typeof fetch = (input, init) => {
    const said = decodeURIComponent(`${String(input)} ${String(init?.body ?? '')}`);
    brought.push(said.includes('kind'));
    return fetch(input, init);
  };
  return { brought, watched };
}

const variants: [name: string, isGet: boolean, accept: string | undefined][] = [
  ['POST', false, undefined],
  ['GET', true, undefined],
  ['POST, taking JSON alone', false, 'application/json'],
  ['POST, taking GraphQL answers alone', false, 'application/graphql-response+json'],
];

describe.each(variants)('By %s', (_, isGet, accept) => {
  const headers = () => ({ ...headersOf(gateway), ...(accept === undefined ? {} : { accept }) });

  test('Apollo Client asks by hash once, then by documents (P14)', async () => {
    const { brought, watched } = watchedFetch();
    const persisted = new PersistedQueryLink({ sha256, useGETForHashedQueries: isGet });
    const link = persisted.concat(new HttpLink({ uri: `${gateway.url}/graphql`, headers: headers(), fetch: watched }));
    const client = new ApolloClient({ link, cache: new InMemoryCache() });
    for (const name of ['First', 'Second']) {
      const { data } = await client.query({ query: gql(`query ${name} { viewer { kind } }`), fetchPolicy: 'network-only' });
      expect(data).toMatchObject({ viewer: { kind: 'USER' } });
    }
    expect(brought).toEqual([false, true, true]);
    client.stop();
  });

  test('urql asks by hash once, then by documents (P14)', async () => {
    const { brought, watched } = watchedFetch();
    const client = new Client({
      url: `${gateway.url}/graphql`,
      exchanges: [persistedExchange({ preferGetForPersistedQueries: isGet, generateHash: sha256 }), fetchExchange],
      fetch: watched,
      fetchOptions: () => ({ headers: headers() }),
      preferGetMethod: false,
    });
    for (const name of ['First', 'Second']) {
      const { data, error } = await client.query(`query ${name} { viewer { kind } }`, {}).toPromise();
      expect([error, data]).toMatchObject([undefined, { viewer: { kind: 'USER' } }]);
    }
    expect(brought).toEqual([false, true, true]);
  });
});
