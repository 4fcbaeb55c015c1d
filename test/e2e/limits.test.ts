/**
 * The limits of promises.md as an operator sets them, at a gateway process. A request at the limit
 * is accepted. One above it is refused on every transport, with the limit's name, the allowed and
 * the actual value.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type Document, transports } from '../attacks/transports.ts';
import { type OpenSocket, openSocket } from '../server/raw-socket.ts';
import { createSqliteDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';

let gateway: Gateway;
const env = {
  TRAINYARD_BODY_SIZE: '2KiB',
  TRAINYARD_DOCUMENT_SIZE: '1KiB',
  TRAINYARD_DOCUMENT_TOKENS: '60',
  TRAINYARD_DOCUMENT_DEPTH: '4',
  TRAINYARD_DOCUMENT_ALIASES: '3',
  TRAINYARD_DOCUMENT_ROOT_FIELDS: '5',
  TRAINYARD_DOCUMENT_DIRECTIVES: '2',
  TRAINYARD_PAGE_SIZE: '120',
  TRAINYARD_OPERATION_COST: '200',
  TRAINYARD_MESSAGE_SIZE: '2KiB',
  TRAINYARD_INIT_TIME: '300ms',
  TRAINYARD_SOCKET_OPERATIONS: '2',
  TRAINYARD_KEY_SOCKETS: '3',
  TRAINYARD_ADDRESS_STRANGERS: '2',
  TRAINYARD_FRAGMENT_SIZE: '1KiB',
  TRAINYARD_LEASE_LONGEST: '90s',
  TRAINYARD_LEASE_SHORTEST: '10s',
  TRAINYARD_CLAIM_WAIT: '2s',
  TRAINYARD_CLAIM_STEPS: '3',
};

beforeAll(async () => {
  const database = await createSqliteDatabase();
  gateway = await startGateway({ database, env });
  return async () => {
    await gateway.stop();
    await database.remove();
  };
});

const times = (count: number, text: string | ((i: number) => string)) =>
  Array.from({ length: count }, (_, i) => (typeof text === 'string' ? text : text(i))).join(' ');
const padded = (bytes: number) => `{ viewer { name } } #${'x'.repeat(bytes - 21)}`;

/** Each limit with an operation of `count`, and the allowed number. */
const limits: readonly [limit: string, allowed: number, (count: number) => Document][] = [
  ['documentBytes', 1_024, (count) => ({ query: padded(count) })],
  ['tokens', 60, (count) => ({ query: `{ viewer { ${times(count - 5, 'name')} } }` })],
  [
    'depth',
    4,
    (count) => ({
      query:
        ['{ viewer { name } }', '{ jobs { nodes { project { name } } } }', '{ jobs { nodes { project { jobs { totalCount } } } } }'][
          Math.max(0, count - 3)
        ] ?? '',
    }),
  ],
  ['aliases', 3, (count) => ({ query: `{ ${times(count, (i) => `a${i}: viewer { name }`)} }` })],
  ['rootFields', 5, (count) => ({ query: `{ ${times(count, 'viewer { name }')} }` })],
  ['directives', 2, (count) => ({ query: `{ viewer { ${times(count, 'name @include(if: true)')} } }` })],
  ['pageSize', 120, (count) => ({ query: `{ jobs(first: ${count}) { nodes { id } } }` })],
  ['pageSize', 120, (count) => ({ query: 'query($n: Int) { jobs(last: $n) { nodes { id } } }', variables: { n: count } })],
  ['pageSize', 120, (count) => ({ query: 'query($i: [ID!]!) { nodes(ids: $i) { id } }', variables: { i: Array(count).fill('job_x') } })],
  [
    'cost',
    200,
    (count) => ({
      query: 'query($n: Int) { projects(first: 99) { nodes { id } } jobs(first: $n) { nodes { id } } }',
      variables: { n: count - 101 },
    }),
  ],
];

describe.each(transports.map((transport) => [transport.name, transport] as const))('Over %s (P14)', (_, transport) => {
  test.each(limits)('%s: %i are accepted, and one more is refused with the allowed and the actual value', async (limit, allowed, make) => {
    const ask = (count: number): Promise<Answer> => transport.ask(gateway, make(count));
    const within = await ask(allowed);
    expect(within.errors).toBeUndefined();
    expect(within.data).toBeTruthy();
    const { data, errors } = await ask(allowed + 1);
    expect(data ?? null).toBeNull();
    expect(errors?.map(({ extensions }) => extensions)).toEqual([{ code: 'LIMIT_EXCEEDED', limit, allowed, asked: allowed + 1 }]);
    expect(errors?.[0]?.message).toContain(String(allowed));
  });
});

describe('A request (P14)', () => {
  const post = (body: string) =>
    fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${gateway.adminKey}` },
      body,
    });
  const bodyOf = (bytes: number) => {
    const body = JSON.stringify({ query: '{ viewer { name } }', extensions: { fill: '' } });
    return body.replace('"fill":""', `"fill":"${'x'.repeat(bytes - body.length)}"`);
  };

  test('may have as many bytes as are allowed, and not one more', async () => {
    expect((await post(bodyOf(2_048))).status).toBe(200);
    const refused = await post(bodyOf(2_049));
    expect(refused.status).toBe(413);
    expect(await refused.json()).toMatchObject({
      errors: [{ extensions: { code: 'LIMIT_EXCEEDED', limit: 'bodyBytes', allowed: 2_048, asked: 2_049 } }],
    });
  });

  test('is told its cost only if it asks for it', async () => {
    const query = '{ jobs(first: 7) { nodes { id } } }';
    const asked = await (await post(JSON.stringify({ query, extensions: { cost: true } }))).json();
    expect(asked).toEqual({ data: { jobs: { nodes: [] } }, extensions: { cost: { nodes: 8, allowed: 200 } } });
    expect(await (await post(JSON.stringify({ query }))).json()).toEqual({ data: { jobs: { nodes: [] } } });
  });

  test('for the limits is answered with the values that the operator set', async () => {
    const { data } = (await transports[0]?.ask(gateway, { query: '{ gateway { limits } }' })) ?? {};
    expect(data?.gateway).toMatchObject({
      limits: { bodyBytes: 2_048, depth: 4, cost: 200, leaseSecondsAtMost: 90, keyRate: 1_000, fragmentBytesAtMost: 1_024 },
    });
  });

  test.each([
    ['leaseSeconds', 90, 91, 'must be from 10 to 90; it is 91.'],
    ['leaseSeconds', 10, 9, 'must be from 10 to 90; it is 9.'],
    ['waitSeconds', 0, 3, 'must be from 0 to 2; it is 3.'],
    ['limit', 3, 4, 'must be from 1 to 3; it is 4.'],
  ])('to claim with %s %i is taken, with %i refused by the field', async (field, allowed, beyond, message) => {
    const query =
      'mutation($input: ClaimNextStepsInput!) { claimNextSteps(input: $input) { __typename ... on InvalidInputError { issues { path message } } } }';
    const claim = async (value: number) => {
      const answer = await (await post(JSON.stringify({ query, variables: { input: { deviceId: 'dev_none', [field]: value } } }))).json();
      return (answer as { data: { claimNextSteps: { __typename: string; issues?: unknown } } }).data.claimNextSteps; // as asked for
    };
    expect((await claim(allowed)).issues).toBeUndefined();
    expect((await claim(beyond)).issues).toEqual([{ path: [field], message }]);
  });
});

describe('A socket (P14)', () => {
  const subscribe = (id: string) =>
    JSON.stringify({
      id,
      type: 'subscribe',
      payload: { query: 'subscription { events { cursor } }', operationName: null },
    });

  test('accepts messages of the allowed size, and is closed with 1009 and the reason for one more byte', async () => {
    const socket = await openSocket(gateway.url, gateway.adminKey);
    const empty = JSON.stringify({ type: 'ping', payload: { fill: '' } }).length;
    const ping = (bytes: number) => JSON.stringify({ type: 'ping', payload: { fill: 'x'.repeat(bytes - empty) } });
    const pong = new Promise((resolve) => socket.once('message', (message) => resolve(JSON.parse(String(message)).type)));
    socket.send(ping(2_048));
    expect(await pong).toBe('pong');
    socket.send(ping(2_049));
    expect(await socket.closed).toEqual({ code: 1009, reason: expect.stringContaining('messageBytes') });
  });

  test('carries as many operations as are allowed, and refuses only the next one', async () => {
    const socket = await openSocket(gateway.url, gateway.adminKey);
    const refused = new Promise((resolve) =>
      socket.on('message', (message) => {
        const { id, type, payload } = JSON.parse(String(message));
        if (type === 'error') resolve([id, payload[0].extensions]);
      }),
    );
    for (const id of ['1', '2', '3']) socket.send(subscribe(id));
    expect(await refused).toEqual(['3', { code: 'LIMIT_EXCEEDED', limit: 'subscriptionsPerSocket', allowed: 2, asked: 3 }]);
    expect(socket.readyState).toBe(socket.OPEN);
    socket.close();
    await socket.closed;
  });

  test('is one of as many as a key may have; the next one is closed with 1013', async () => {
    const open: OpenSocket[] = [];
    for (let i = 0; i < 3; i++) open.push(await openSocket(gateway.url, gateway.adminKey));
    const beyond = await openSocket(gateway.url);
    beyond.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${gateway.adminKey}` } }));
    expect(await beyond.closed).toEqual({ code: 1013, reason: 'Too many sockets of this key' });
    const stream = await fetch(`${gateway.url}/graphql?query=${encodeURIComponent('subscription { events { cursor } }')}`, {
      headers: { accept: 'text/event-stream', authorization: `Bearer ${gateway.adminKey}` },
    });
    expect(stream.status).toBe(429);
    expect(await stream.json()).toMatchObject({ errors: [{ extensions: { limit: 'socketsPerKey', allowed: 3, asked: 4 } }] });
    for (const socket of open) socket.close();
    await Promise.all(open.map(({ closed }) => closed));
  });

  test('without a key is one of as many as an address may have, and is closed with 4408 after its time', async () => {
    const open = await Promise.all([1, 2].map(() => openSocket(gateway.url)));
    await expect(openSocket(gateway.url)).rejects.toThrow('429');
    for (const { closed } of open) expect((await closed).code).toBe(4408);
    const after = await openSocket(gateway.url, gateway.adminKey);
    after.close();
    await after.closed;
  });
});
