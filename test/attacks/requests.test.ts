/** Requests and sockets that break the rules, against a gateway process. */
import { once } from 'node:events';
import { beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { ask } from '../e2e/asking.ts';
import { createSqliteDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { requestAttacks } from './requests.ts';
import type { Answer } from './transports.ts';

let gateway: Gateway;
beforeAll(async () => {
  const database = await createSqliteDatabase();
  gateway = await startGateway({ database, flags: ['--key-rate', 'off'] });
  return async () => {
    await gateway.stop();
    await database.remove();
  };
});

let projects: unknown;
beforeAll(async () => {
  projects = (await askNow()).data?.projects;
});

const askNow = () => ask(gateway, gateway.adminKey, '{ viewer { kind } projects { totalCount } }');

describe('A request', () => {
  test.each(requestAttacks.map((attack) => [attack.name, attack.status, attack] as const))(
    'that is %s is answered with %i, and does nothing (P14)',
    async (_name, status, { method = 'POST', path = '', headers = {}, body, refusal }) => {
      const started = performance.now();
      const response = await fetch(`${gateway.url}/graphql${path}`, {
        method,
        headers: { authorization: `Bearer ${gateway.adminKey}`, accept: 'application/graphql-response+json', ...headers },
        ...(body === undefined ? {} : { body }),
      });
      const text = await response.text();
      expect(response.status, text.slice(0, 500)).toBe(status);
      if (refusal !== null) {
        const { errors: [error] = [] } = JSON.parse(text) as Answer; // a different shape fails the test
        expect([error?.extensions.limit ?? error?.extensions.code, error?.message]).toEqual([
          refusal,
          expect.stringMatching(/^[^\n]{10,400}$/),
        ]);
      }
      // Quadratic work would take minutes; a busy machine takes seconds.
      expect(performance.now() - started).toBeLessThan(30_000);
      expect((await askNow()).data).toEqual({ viewer: { kind: 'USER' }, projects });
    },
  );
});

/** Sends the messages over a new socket. Resolves with the code that closes it. */
async function closeCodeOf(...messages: readonly (string | Buffer)[]): Promise<number> {
  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  socket.on('error', () => {}); // 'close' follows
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  await once(socket, 'open');
  for (const message of messages) {
    socket.send(message);
    // Messages before the acknowledgement would be a different offence.
    if (message === init()) await Promise.race([once(socket, 'message'), closed]);
  }
  return closed;
}

const init = () => JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${gateway.adminKey}` } });
const subscribe = (id: unknown, query = 'subscription { jobsUpdated { id } }') =>
  JSON.stringify({ id, type: 'subscribe', payload: { query } });

describe('A socket', () => {
  test.each<readonly [what: string, code: number, messages: () => (string | Buffer)[]]>([
    ['that begins without connection_init', 4401, () => [subscribe('1')]],
    ['that says connection_init twice', 4429, () => [init(), init()]],
    ['without a key', 4401, () => [JSON.stringify({ type: 'connection_init' })]],
    ['with a key that is no text', 4401, () => [JSON.stringify({ type: 'connection_init', payload: { authorization: [7] } })]],
    ['that sends what is no JSON', 4400, () => [init(), 'hello']],
    ['that sends a message of no known type', 4400, () => [init(), '{"type":"start","id":"1"}']],
    ['that sends a list', 4400, () => [init(), '[]']],
    ['that sends bytes', 4400, () => [init(), Buffer.from([0, 255, 254, 0])]],
    ['that sends a subscription without a document', 4400, () => [init(), '{"id":"1","type":"subscribe","payload":{}}']],
    ['that sends a document that is a number', 4400, () => [init(), '{"id":"1","type":"subscribe","payload":{"query":7}}']],
    ['whose operation has no name', 4400, () => [init(), subscribe('')]],
    ['whose operation is named by a number', 4400, () => [init(), subscribe(7)]],
    ['that uses a name twice', 4409, () => [init(), subscribe('1'), subscribe('1')]],
    ['whose message is too large', 1009, () => [init(), subscribe('1', `{ __typename } #${'x'.repeat(70_000)}`)]],
    ['whose first message is too large', 1009, () => ['x'.repeat(70_000)]],
    ['whose lists are too deep', 4400, () => [init(), '['.repeat(30_000) + ']'.repeat(30_000)]],
    ['whose name for an operation is very long, twice', 4409, () => [init(), subscribe('x'.repeat(60_000)), subscribe('x'.repeat(60_000))]],
    ['that is named like the prototype, twice', 4409, () => [init(), subscribe('__proto__'), subscribe('__proto__')]],
    ['that is named like a property of all objects, twice', 4409, () => [init(), subscribe('constructor'), subscribe('constructor')]],
  ])('%s is closed with %i (P14)', async (_what, code, messages) => {
    expect(await closeCodeOf(...messages())).toBe(code);
    expect((await askNow()).data).toBeTruthy();
  });

  test('that opens endless operations is told the limit, and keeps the ones that it has (P14)', async () => {
    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    await once(socket, 'open');
    const refused = new Promise<{ id: string; payload: Answer['errors'] }>((resolve) => {
      socket.on('message', (message) => {
        const { type, id, payload } = JSON.parse(String(message));
        if (type === 'error') resolve({ id, payload });
      });
    });
    socket.send(init());
    await once(socket, 'message');
    for (let i = 1; i <= 51; i++) socket.send(subscribe(String(i)));
    const { id, payload } = await refused;
    expect(id).toBe('51');
    expect(payload).toMatchObject([{ extensions: { code: 'LIMIT_EXCEEDED', limit: 'subscriptionsPerSocket', allowed: 50 } }]);
    expect(socket.readyState).toBe(socket.OPEN);
    socket.close();
    expect((await askNow()).data).toBeTruthy();
  });

  test('that sends no connection_init is closed', async () => {
    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    const [code] = await once(socket, 'close');
    expect(code).toBe(4408);
  });
});
