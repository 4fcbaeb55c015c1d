/**
 * Clients that hold connections and show no key, against a gateway with few file descriptors: the
 * others are served (P9, P14).
 */
import { connect, type Socket } from 'node:net';
import { beforeAll, describe, expect, test } from 'vitest';
import { createSqliteDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';

let gateway: Gateway;
const open: Socket[] = [];
beforeAll(async () => {
  const database = await createSqliteDatabase();
  gateway = await startGateway({ database, before: () => ['sh', '-c', 'ulimit -n 256 && exec "$@"', 'sh'] });
  return async () => {
    for (const socket of open) socket.destroy();
    await gateway.stop();
    await database.remove();
  };
});

/**
 * Opens 400 connections of one address and uses each. Resolves when the system has accepted them
 * all.
 */
const hold = (use: (socket: Socket) => void): Promise<unknown> =>
  Promise.all(
    Array.from({ length: 400 }, () => {
      const socket = connect(gateway.port, '127.0.0.1');
      open.push(socket);
      socket.on('error', () => {}).resume();
      return new Promise<void>((resolve) => socket.once('connect', () => resolve(use(socket))).once('close', () => resolve()));
    }),
  );

const post = (extra: string) => `POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${extra}`;

function drip(socket: Socket): void {
  socket.write(post(''));
  const dripping = setInterval(() => socket.write('x: y\r\n'), 200);
  socket.once('close', () => clearInterval(dripping));
}

/** Asks several times in sequence, each time on a new connection. */
async function askOften(): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < 10; i++) {
    const began = performance.now();
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${gateway.adminKey}`, connection: 'close' },
      body: '{"query":"{ viewer { kind } }"}',
    });
    expect(await response.json()).toEqual({ data: { viewer: { kind: 'USER' } } });
    times.push(performance.now() - began);
  }
  return times;
}

describe('A client with a key is served while 400 connections of one address', () => {
  test.each<[string, (socket: Socket) => void]>([
    ['say nothing', () => {}],
    ['say half of a header', (socket) => socket.write(post(''))],
    ['say one header after another', drip],
    ['ask without a key, and stay', (socket) => socket.write(post('content-length: 2\r\n\r\n{}'))],
    ['ask for what needs no key, and stay', (socket) => socket.write('GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n')],
    ['send no more of a body than its beginning', (socket) => socket.write(post('content-length: 1000\r\n\r\n{'))],
    [
      'ask for sockets and say no more',
      (socket) =>
        socket.write(
          'GET /graphql HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n',
        ),
    ],
  ])('%s (P9)', async (_, use) => {
    await hold(use);
    for (const ms of await askOften()) expect(ms).toBeLessThan(2_000);
    // Most connections of strangers are gone by then, and new ones are accepted.
    for (const socket of open.splice(0)) socket.destroy();
  });
});
