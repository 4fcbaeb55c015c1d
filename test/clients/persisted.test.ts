/**
 * Clients that send a document's hash in its place. Told that the hash is unknown, they send the
 * document once.
 */
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

/** A fetch that records whether each request carried its document. */
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

describe.each(variants)('By %s', (way, isGet, accept) => {
  const headers = () => ({ ...headersOf(gateway), ...(accept === undefined ? {} : { accept }) });
  /** A name for this test alone: a document that one client has sent is known for the next. */
  const nameOf = (client: string) => `${client}By${way.replaceAll(/\W/g, '')}`;

  test('Apollo Client sends each document once, then only its hash (P14)', async () => {
    const { brought, watched } = watchedFetch();
    const persisted = new PersistedQueryLink({ sha256, useGETForHashedQueries: isGet });
    const link = persisted.concat(new HttpLink({ uri: `${gateway.url}/graphql`, headers: headers(), fetch: watched }));
    const client = new ApolloClient({ link, cache: new InMemoryCache() });
    for (let i = 0; i < 3; i++) {
      const query = gql(`query ${nameOf('Apollo')} { viewer { kind } }`);
      const { data } = await client.query({ query, fetchPolicy: 'network-only' });
      expect(data).toMatchObject({ viewer: { kind: 'USER' } });
    }
    expect(brought).toEqual([false, true, false, false]);
    client.stop();
  });

  test('urql sends each document once, then only its hash (P14)', async () => {
    const { brought, watched } = watchedFetch();
    const client = new Client({
      url: `${gateway.url}/graphql`,
      exchanges: [persistedExchange({ preferGetForPersistedQueries: isGet, generateHash: sha256 }), fetchExchange],
      fetch: watched,
      fetchOptions: () => ({ headers: headers() }),
      preferGetMethod: false,
    });
    for (let i = 0; i < 3; i++) {
      const { data, error } = await client.query(`query ${nameOf('Urql')} { viewer { kind } }`, {}).toPromise();
      expect([error, data]).toMatchObject([undefined, { viewer: { kind: 'USER' } }]);
    }
    expect(brought).toEqual([false, true, false, false]);
  });
});
