/**
 * Clients that ask for much and read nothing, against a gateway process: its memory is bounded, and
 * others notice little (P9).
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { unwrap } from '../../src/client/errors.ts';
import {
  ClaimNextStepsDocument,
  CreateApiKeyDocument,
  CreateJobDocument,
  CreateProjectDocument,
  ReportProgressDocument,
} from '../../src/client/generated.ts';
import { createRequester } from '../../src/client/request.ts';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { canMeasureStrain, type Strain, strain } from '../support/strain.ts';

const MOST_MB = 600;
/** Slower answers than this fail only if they are also much slower than on the calm gateway. */
const SLOW_MS = 250;
const TIMES_CALM = 12;
/** Answers to the healthy client during an attack. */
const ANSWERS = 400;

let database: TestDatabase;
let gateway: Gateway;
let calm: Strain;
let jobId: string;
let watchKey: string;

beforeAll(async () => {
  database = await createSqliteDatabase();
  gateway = await startGateway({ database, flags: ['--stall-time', '10s'] });
  const client = createRequester({ url: gateway.url, token: gateway.adminKey });
  const projectId = unwrap((await client.request(CreateProjectDocument, { input: { name: 'Talkative' } })).createProject).project.id;
  const steps = [{ name: 'Talks' }];
  jobId = unwrap((await client.request(CreateJobDocument, { input: { projectId, name: 'Talks', steps } })).createJob).job.id;
  const claimed = unwrap((await client.request(ClaimNextStepsDocument, { input: { limit: 1, leaseSeconds: 3_600 } })).claimNextSteps);
  const leaseToken = claimed.claims[0]?.lease.token ?? '';
  const text = `${'x'.repeat(63)}\n`.repeat(1_024);
  for (let i = 0; i < 300; i++) {
    const log = [{ offset: i * text.length, text, stream: 'STDOUT' as const }];
    unwrap((await client.request(ReportProgressDocument, { input: { leaseToken, log } })).reportProgress);
  }
  const made = await client.request(CreateApiKeyDocument, { input: { name: 'watcher', kind: 'WATCH', jobId } });
  watchKey = unwrap(made.createApiKey).secret;
  calm = await strain(gateway, (healthy) => healthy.answered(ANSWERS));
  console.info('calm', calm);
}, 300_000);

afterAll(async () => {
  await gateway?.stop();
  await database?.remove();
});

function judge(name: string, attacked: Strain): void {
  console.info(name, attacked);
  expect(attacked.mostMb).toBeLessThan(MOST_MB);
  expect(attacked.p99Ms).toBeLessThan(Math.max(SLOW_MS, TIMES_CALM * calm.p99Ms));
}

const query = (extra = '') => `subscription Log${extra} { log(jobId: "${jobId}") { cursor state chunks { text } } }`;

/** A socket that sends its messages and reads only the acknowledgement. */
async function openUnread(messages: (index: number) => string, count: number, key = watchKey): Promise<WebSocket> {
  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', { perMessageDeflate: false });
  socket.on('error', () => {});
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${key}` } }));
  await once(socket, 'message');
  socket.pause();
  for (let i = 0; i < count; i++) socket.send(messages(i));
  return socket;
}

const subscribe = (extra: string) => (i: number) => JSON.stringify({ id: `${i}`, type: 'subscribe', payload: { query: query(extra) } });

function openRequest(head: string, body = ''): Socket {
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  socket.pause();
  const length = body === '' ? '' : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
  socket.write(`${head}\r\nhost: x\r\nauthorization: Bearer ${watchKey}\r\n${length}\r\n${body}`);
  return socket;
}

const ask = (text: string) => openRequest('POST /graphql HTTP/1.1', JSON.stringify({ query: text }));
const pageOf = () => `{ job(id: "${jobId}") { step(number: 0) { log(first: 100) { chunks { text } hasMore endCursor } } } }`;

describe.runIf(canMeasureStrain)('A client that reads nothing', () => {
  test('of 50 streams on each of 20 sockets costs little, whether the streams are the same or all different (P9)', async () => {
    for (const isShared of [true, false]) {
      const sockets: WebSocket[] = [];
      const attacked = await strain(gateway, async (healthy) => {
        for (let i = 0; i < 20; i++) sockets.push(await openUnread((n) => subscribe(isShared ? '' : `_${i}_${n}`)(n), 50));
        await healthy.answered(ANSWERS);
      });
      for (const socket of sockets) socket.terminate();
      judge(`20 x 50 streams, ${isShared ? 'shared' : 'each another'}`, attacked);
    }
  });

  test('of 60 answers, or of a hundred pipelined on one connection, costs little (P9)', async () => {
    const connections: Socket[] = [];
    const attacked = await strain(gateway, async (healthy) => {
      for (let i = 0; i < 60; i++) connections.push(ask(pageOf()));
      const body = JSON.stringify({ query: pageOf() });
      const request = `POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${watchKey}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
      const pipelined = ask(pageOf());
      connections.push(pipelined);
      for (let i = 0; i < 100; i++) pipelined.write(request);
      await healthy.answered(ANSWERS);
    });
    for (const connection of connections) connection.destroy();
    judge('60 answers and 100 pipelined', attacked);
  });

  test('of server-sent events, and of the files of GraphiQL, costs little (P9)', async () => {
    const connections: Socket[] = [];
    const attacked = await strain(gateway, async (healthy) => {
      const search = new URLSearchParams({ query: query() });
      for (let i = 0; i < 100; i++) connections.push(openRequest(`GET /graphql?${search} HTTP/1.1\r\naccept: text/event-stream`));
      for (let i = 0; i < 200; i++) connections.push(openRequest('GET /graphql/graphiql.js HTTP/1.1'));
      await healthy.answered(ANSWERS);
    });
    for (const connection of connections) connection.destroy();
    judge('100 event streams and 200 scripts', attacked);
  });

  test('of the replies to its pings costs little, and so does one that subscribes and completes without a pause (P9)', async () => {
    const sockets: WebSocket[] = [];
    const attacked = await strain(gateway, async (healthy) => {
      const payload = { fill: 'x'.repeat(60_000) };
      for (let i = 0; i < 20; i++) sockets.push(await openUnread(() => JSON.stringify({ type: 'ping', payload }), 300));
      for (const socket of sockets) for (let i = 0; i < 5_000; i++) socket.ping('x'.repeat(125));
      const often = (i: number) => (i % 2 === 0 ? subscribe('')(0) : JSON.stringify({ id: '0', type: 'complete' }));
      for (let i = 0; i < 10; i++) sockets.push(await openUnread(often, 400));
      await healthy.answered(ANSWERS);
    });
    for (const socket of sockets) socket.terminate();
    judge('pings and completes', attacked);
  });

  test('at first, but then slowly and steadily, is not disconnected and gets everything (P7, P9)', async () => {
    const socket = await openUnread(subscribe(''), 1);
    let characters = 0;
    let isLive = false;
    let code: number | undefined;
    socket.once('close', (closed) => {
      code = closed;
    });
    const all = Promise.withResolvers<void>();
    socket.on('message', (message) => {
      const { payload } = JSON.parse(String(message));
      for (const { text } of payload.data.log.chunks) characters += text.length;
      isLive = payload.data.log.state === 'LIVE';
      if (isLive || code !== undefined) all.resolve();
    });
    const attacked = await strain(gateway, async (healthy) => {
      // It reads what has arrived, then pauses while others get a few answers: longer than the
      // stall time in total.
      while (!isLive && code === undefined) {
        socket.resume();
        await Promise.race([once(socket, 'message'), healthy.answered(20)]);
        socket.pause();
        await healthy.answered(20);
      }
    });
    expect([code, characters]).toEqual([undefined, 300 * 65_536]);
    socket.terminate();
    judge('a slow reader', attacked);
  });
});
